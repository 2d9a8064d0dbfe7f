"""A bundle is what its hashes say, or it is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mergeline import bundle
from mergeline.errors import BadData, Integrity
from tests.unit import bundles


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("made") / "bundle"
    bundles.make(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def test_a_bundle_answers_its_smoke_rows_as_it_was_sealed(folder: Path) -> None:
    found = bundle.load(folder)

    scores = found.scores(bundle.raw_from_rows(found.signature, found.smoke.rows))

    assert np.allclose(scores, found.smoke.scores, atol=1e-6)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_loading_leaves_nothing_in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    with (folder / bundle.FEATURES).open("a", encoding="utf-8") as file:
        file.write("\n# not loaded before\n")
    bundle.seal(folder)

    bundle.load(folder)

    assert {path.name for path in folder.iterdir()} == {*bundle.FILES, bundle.INDEX}


def test_sealing_again_gives_the_same_id(folder: Path) -> None:
    assert bundle.seal(folder) == bundle.identify(folder)


@pytest.mark.parametrize("name", bundle.FILES)
def test_refuses_one_flipped_byte(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(Integrity, match=f"bundle/{name} has sha256") as refused:
        bundle.load(folder)

    assert refused.value.code == 7


@pytest.mark.parametrize("name", [bundle.INDEX, *bundle.FILES])
def test_refuses_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(Integrity, match=name):
        bundle.load(folder)


def relabel(folder: Path) -> None:
    index = msgspec.json.decode((folder / bundle.INDEX).read_bytes())
    index["files"]["extra.py"] = "0" * 64
    (folder / bundle.INDEX).write_bytes(msgspec.json.encode(index))


def garble(folder: Path) -> None:
    (folder / bundle.INDEX).write_bytes(b"{")


def add_key(folder: Path) -> None:
    (folder / bundle.INDEX).write_bytes(b'{"schema": 1, "files": {}, "note": "hello"}')


@pytest.mark.parametrize("change", [relabel, garble, add_key])
def test_refuses_an_index_of_another_form(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)

    with pytest.raises(Integrity, match=r"bundle\.json"):
        bundle.load(folder)


def test_refuses_another_bundle_than_the_one_expected(folder: Path) -> None:
    with pytest.raises(Integrity, match="not 000000000000"):
        bundle.load(folder, "0" * 64)


def test_a_sealed_model_that_is_no_model_is_refused(folder: Path) -> None:
    (folder / bundle.MODEL).write_bytes(b"no model")
    bundle.seal(folder)

    with pytest.raises(Integrity, match=r"model\.onnx"):
        bundle.load(folder)


@pytest.mark.parametrize("name", [bundle.SIGNATURE, bundle.SMOKE])
def test_a_sealed_file_of_another_form_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b'{"hello": 1}')
    bundle.seal(folder)

    with pytest.raises(Integrity, match=name):
        bundle.load(folder)


@pytest.mark.parametrize(
    "line",
    ["import os", "import polars as pl", "from . import other", "from sklearn import tree", "def f():\n    import os"],
)
def test_refuses_features_that_import_more_than_numpy(tmp_path: Path, line: str) -> None:
    path = tmp_path / "features.py"
    path.write_text(f"{line}\n")

    with pytest.raises(Integrity, match=r"features\.py, line \d+: imports .* numpy only"):
        bundle.load_features(path)


def test_refuses_features_without_the_function(tmp_path: Path) -> None:
    path = tmp_path / "features.py"
    path.write_text("import numpy as np\n")

    with pytest.raises(Integrity, match="defines no function `features`"):
        bundle.load_features(path)


def test_two_versions_of_features_live_side_by_side(tmp_path: Path) -> None:
    found = []
    for value in (1, 2):
        path = tmp_path / str(value) / "features.py"
        path.parent.mkdir()
        path.write_text(f"def features(raw):\n    return {{'x': raw['x'] * {value}}}\n")
        found.append(bundle.load_features(path))

    assert [f({"x": np.ones(1)})["x"][0] for f in found] == [1, 2]


@pytest.mark.parametrize(
    ("made_up", "said"),
    [({}, "gives no feature x"), ({"x": np.float64(1)}, r"feature x has shape \(\), not \(2,\)")],
)
def test_refuses_features_that_are_not_one_value_per_row(made_up: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(BadData, match=said):
        bundle.matrices(lambda _: made_up, ["x"], [], {"raw": np.zeros(2)})


def test_a_bundle_that_masks_nothing_is_what_it_was_before_there_were_masks(folder: Path) -> None:
    signature = bundle.load(folder).signature

    assert b"masked" not in msgspec.json.encode(signature)
    assert signature.masking == {}


def test_what_a_bundle_masks_is_read(folder: Path) -> None:
    said = msgspec.json.decode((folder / bundle.SIGNATURE).read_bytes())
    (folder / bundle.SIGNATURE).write_bytes(msgspec.json.encode(said | {"masked": {"name": "hash", "note": "drop"}}))
    bundle.seal(folder)

    assert bundle.load(folder).signature.masking == {"name": "hash", "note": "drop"}


@pytest.mark.parametrize("classes", [["no", "yes"], ["a", "b", "c"]])
def test_the_class_of_a_row_is_the_same_by_name_and_by_place(tmp_path: Path, classes: list[str]) -> None:
    bundles.make(tmp_path)
    signature = msgspec.structs.replace(bundle.load(tmp_path).signature, classes=classes, threshold=0.25)
    scores = np.random.default_rng(1).dirichlet([1.0] * len(classes), 50)
    scores[0, :2] = 0.75, 0.25

    places = bundle.called(scores, signature)

    assert bundle.labels(scores, signature) == [classes[place] for place in places]
    assert set(places.tolist()) == set(range(len(classes)))
