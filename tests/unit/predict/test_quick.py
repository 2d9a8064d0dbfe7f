"""Look-ups and trees by tables: the bits of the graph that answers a request, or the graph itself."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper
from skl2onnx import to_onnx
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)

from mergeline import bundle as bundles
from mergeline.predict import trees
from mergeline.predict.grid import Grid
from mergeline.predict.quick import quick
from mergeline.stages import lean
from tests.unit.serve.made import export, made_rows

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, np.float32(3.4e38), np.float32(1e-40)]
numbers = st.floats(width=32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "BLOCK", 64)


def made(tmp_path: Path, classes: tuple[str, ...]) -> bundles.Bundle:
    """A bundle with the graph that `export` writes."""
    folder = export(tmp_path / "bundle", classes=classes)
    (folder / bundles.MODEL).write_bytes(lean.lean((folder / bundles.MODEL).read_bytes()))
    bundles.seal(folder)
    return bundles.load(folder)


@pytest.mark.parametrize("classes", [("no", "yes"), ()], ids=["two classes", "regression"])
def test_answers_have_the_bits_of_the_graphs(tmp_path: Path, classes: tuple[str, ...]) -> None:
    bundle = made(tmp_path, classes)
    raw = bundles.raw_from_rows(bundle.signature, made_rows(1000, seed=5))

    fast = quick(bundle, (tmp_path / "bundle" / bundles.MODEL).read_bytes())

    assert fast is not bundle
    assert np.array_equal(fast.scores(raw), bundle.scores(raw))


def test_three_classes_are_answered_by_the_graph_itself(tmp_path: Path) -> None:
    bundle = made(tmp_path, ("a", "b", "c"))

    assert quick(bundle, (tmp_path / "bundle" / bundles.MODEL).read_bytes()) is bundle


def test_tables_that_answer_otherwise_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = made(tmp_path, ("no", "yes"))
    read = trees.read

    def wrong(*given: Any) -> trees.Trees | None:
        found = read(*given)
        return found and replace(found, base=np.float32(found.base + 1))

    monkeypatch.setattr(trees, "read", wrong)

    assert quick(bundle, (tmp_path / "bundle" / bundles.MODEL).read_bytes()) is bundle


def test_a_bundle_without_rows_to_compare_on_is_answered_by_the_graph(tmp_path: Path) -> None:
    bundle = replace(made(tmp_path, ("no", "yes")), smoke=bundles.Smoke([], []))

    assert quick(bundle, (tmp_path / "bundle" / bundles.MODEL).read_bytes()) is bundle


def fitted(model: Any, missing: bool) -> tuple[dict[str, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Attributes of the operator, a matrix with thresholds and special numbers in it, and what onnxruntime answers."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(2000, 6)).astype(np.float32)
    matrix[:, 1] = rng.integers(0, 4, 2000)
    target = matrix[:, 0] * matrix[:, 1] + np.sin(3 * matrix[:, 2]) + rng.normal(size=2000)
    if missing:
        matrix[rng.random(matrix.shape) < 0.2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = to_onnx(model.fit(matrix, target), matrix[:1])
    operator = next(node for node in graph.graph.node if node.op_type == "TreeEnsembleRegressor")
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in operator.attribute}
    seen = np.array(given["nodes_values"], np.float32)
    asked = rng.choice(np.concatenate([seen, np.nextafter(seen, np.float32(np.inf)), matrix.ravel()]), (3000, 6))
    if missing:
        asked[rng.random(asked.shape) < 0.1] = np.nan
        asked[:7, 0] = SPECIAL
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph.SerializeToString(), options)
    return given, asked, session.run(None, {session.get_inputs()[0].name: asked})[0]


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "with missing values"])
@pytest.mark.parametrize("leaves", [2, 31, 32, 33, 64])
def test_sums_of_trees_have_the_bits_of_onnxruntimes_at_every_threshold(leaves: int, missing: bool) -> None:
    model = HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=leaves, min_samples_leaf=2, random_state=1)
    given, matrix, answers = fitted(model, missing)

    found = trees.read(given, "target")

    assert found is not None
    assert np.array_equal(found.sums(matrix), answers)


def test_trees_of_another_estimator_are_read_too() -> None:
    given, matrix, answers = fitted(GradientBoostingRegressor(n_estimators=25, max_depth=4), missing=False)

    found = trees.read(given, "target")

    assert found is not None
    assert np.array_equal(found.sums(matrix), answers)


@pytest.mark.parametrize(
    "model",
    [RandomForestRegressor(3, random_state=1), HistGradientBoostingRegressor(max_leaf_nodes=65, min_samples_leaf=2)],
    ids=["a forest of large trees", "65 leaves"],
)
def test_larger_trees_are_left_to_onnxruntime(model: Any) -> None:
    given, _, _ = fitted(model, missing=False)

    assert trees.read(given, "target") is None


def test_ensembles_of_another_make_are_left_to_onnxruntime() -> None:
    given, _, _ = fitted(HistGradientBoostingRegressor(max_iter=3), missing=False)
    modes = [b"BRANCH_LT" if mode == b"BRANCH_LEQ" else mode for mode in given["nodes_modes"]]
    sums = [i % 2 for i in range(len(given["target_ids"]))]

    assert trees.read(given, "target") is not None
    assert trees.read({**given, "nodes_modes": modes}, "target") is None
    assert trees.read({**given, "target_ids": sums}, "target") is None
    last = {name: values[:-1] for name, values in given.items() if name.startswith("target_")}
    assert trees.read(given | last, "target") is None  # a leaf that adds nothing
    assert trees.read({name: values for name, values in given.items() if name != "nodes_values"}, "target") is None
    shifted = ("nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids", "target_nodeids")
    assert trees.read(given | {name: [i + 1 for i in given[name]] for name in shifted}, "target") is None


def test_tables_too_large_for_a_cache_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    given, _, _ = fitted(HistGradientBoostingRegressor(max_iter=3), missing=False)
    monkeypatch.setattr(trees, "MOST_BYTES", 100)

    assert trees.read(given, "target") is None


def test_few_thresholds_share_a_table() -> None:
    given, _, _ = fitted(HistGradientBoostingRegressor(max_iter=30), missing=True)

    found = trees.read(given, "target")

    assert found is not None
    assert len(found.tables) < sum(len(table.features) for table in found.tables) == 6
    assert all(len(table.left) <= trees.MOST_PLACES or len(table.features) == 1 for table in found.tables)


@settings(max_examples=300)
@given(
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40, unique=True),
    arrays.arrays(np.float32, st.integers(1, 30), elements=numbers),
)
def test_a_grid_gives_the_places_of_bisection(thresholds: list[float], asked: np.ndarray[Any, Any]) -> None:
    ascending = np.unique(np.array(thresholds, np.float32))
    with np.errstate(over="ignore"):
        above = np.nextafter(ascending, np.float32(np.inf))
    values = np.concatenate([asked, ascending, above])
    expected = np.where(np.isnan(values), len(ascending) + 1, ascending.searchsorted(values))

    assert Grid(ascending).places(values).tolist() == expected.tolist()


def test_a_grid_with_a_crowded_cell_gives_the_places_of_bisection() -> None:
    ascending = np.append(np.linspace(0, 1e-3, 50), 1e6).astype(np.float32)
    values = np.append(np.linspace(-1e-3, 2e-3, 500), [np.nan, 1e7]).astype(np.float32)
    expected = np.where(np.isnan(values), len(ascending) + 1, ascending.searchsorted(values))

    assert Grid(ascending).places(values).tolist() == expected.tolist()
