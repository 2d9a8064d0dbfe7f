"""Your own data beyond the README's example: a number to predict, data without a remote, files that are not as described.

The example itself, word for word, is tests/bake/test_own_data.py.
"""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from sklearn.datasets import load_diabetes

from tests.newcomer import GENERATED, PAGES, SETTINGS, Shell, changed, describe, tumours
from tools.bake import bake

pytestmark = pytest.mark.slow

# The README tells of tumours; here the same pages tell of patients and a number.
WORDS = {
    "tumour": "patient",
    "radius": "bmi",
    "texture": "pressure",
    "smoothness": "sugar",
    "malignant: bool": "progression: float",
    "malignant": "progression",
}


def generated(folder: Path, task: str) -> Shell:
    """Give a project in git."""
    shell = Shell(bake(folder, {"task": task}), folder / "home")
    shell.type(GENERATED)
    return shell


def with_tumours(folder: Path) -> Shell:
    """Give a project that describes the README's tumours, and has them."""
    shell = generated(folder, "classification")
    tumours(shell.project / "data/files/tumours.csv")
    describe(shell)
    return shell


def test_a_number_of_your_own_is_predicted_and_judged(tmp_path: Path) -> None:
    shell = generated(tmp_path, "regression")
    found = load_diabetes(as_frame=True, scaled=False).frame
    pl.DataFrame(
        {
            "sample": [f"p{i}" for i in range(len(found))],
            "bmi": found["bmi"].to_numpy(),
            "pressure": found["bp"].to_numpy(),
            "sugar": found["s5"].to_numpy(),
            "progression": found["target"].to_numpy(),
        }
    ).write_csv(shell.project / "data/files/patients.csv")
    pages = dict(PAGES)
    for old, new in WORDS.items():
        pages = {name: page.replace(old, new) for name, page in pages.items()}
    describe(shell, pages, SETTINGS | {"by: time": "by: random"})
    shell.type("dvc repro && git add --all ':!dvc.lock' && git commit --quiet --message 'Predict progression'")

    shell.type("git switch --quiet --create sugar")
    features = shell.project / "src/model/features.py"
    features.write_text(changed(features.read_text(), {'("bmi", "pressure")': '("bmi", "pressure", "sugar")'}))
    shell.type("git commit --quiet --all --message 'Look at the sugar' && dvc repro && model compare")

    report = json.loads((shell.project / "report/report.json").read_text())
    assert report["word"] in {"better", "worse", "same", "cannot tell"}
    assert report["primary"] == "rmse"
    assert report["base"]["bundle"] != report["candidate"]["bundle"]


def test_data_in_dvc_without_a_remote_is_refused_in_one_line_and_taken_with_one(tmp_path: Path) -> None:
    shell = with_tumours(tmp_path)
    shell.type("dvc add --quiet data/files/tumours.csv && git add data")

    code, said = shell.try_("python -m mergeline.guard data")

    assert (code, len(said.splitlines())) == (8, 1), said
    assert "data/files/tumours.csv.dvc" in said
    assert "dvc remote add --default" in said
    shell.type(f"dvc remote add --quiet --default storage '{tmp_path}/storage' && dvc push --quiet && git add .dvc")
    shell.type("python -m mergeline.guard data")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.replace("malignant", "benign", 1), "malignant"),
        (lambda text: text.replace("true", "maybe", 1), "malignant"),
        (lambda text: text[: text.rindex(",")], "fields"),
        (lambda _: "", "empty"),
    ],
    ids=["a renamed column", "a wrong type", "half a file", "an empty file"],
)
def test_a_file_that_is_not_as_described_is_refused_with_the_code_of_data(
    tmp_path: Path, spoil: Callable[[str], str], says: str
) -> None:
    shell = with_tumours(tmp_path)
    rows = shell.project / "data/files/tumours.csv"
    rows.write_text(spoil(rows.read_text()))

    code, said = shell.try_("model ingest && model validate")

    assert code == 5, said
    assert says in said
    assert "Traceback" not in said
