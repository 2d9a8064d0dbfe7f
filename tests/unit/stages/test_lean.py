"""The lean graph: fewer bytes, the same bits."""

from typing import Any

import msgspec
import numpy as np
import onnxruntime as ort
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from mergeline.bundle import NUMBERS, TEXTS, Column, Signature
from mergeline.stages import convert, lean

SIGNED = Signature(
    name="made",
    task="classification",
    label="y",
    columns=[Column("a", "number"), Column("b", "number"), Column("c", "text")],
    numeric=["a", "b"],
    categorical=["c"],
)
BINARY, SEVERAL, VALUE = "two classes", "three classes", "a value"


def made(estimator: Any, label: str) -> bytes:
    """Fit a pipeline on made rows and convert it."""
    rng = np.random.default_rng(7)
    rows = pl.DataFrame(
        {
            "a": rng.normal(size=200).astype(np.float32),
            "b": rng.normal(size=200).astype(np.float32),
            "c": rng.choice(["x", "y", "z"], 200),
        }
    )
    value = (rows["a"] + rows["b"] ** 2 + (rows["c"] == "x")).to_numpy()
    wanted = {BINARY: value > 1, SEVERAL: np.digitize(value, [0.5, 1.5]), VALUE: value}[label]
    encode = ("texts", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["c"])
    columns = ColumnTransformer([("numbers", "passthrough", ["a", "b"]), encode])
    return convert.convert(Pipeline([("columns", columns), ("model", estimator)]).fit(rows, wanted), SIGNED)


def answers(model: bytes, label: str, *, missing: bool) -> NDArray[Any]:
    """Give the scores of rows with unknown texts and, where the model takes them, missing numbers."""
    rng = np.random.default_rng(8)
    numbers = rng.normal(size=(500, 2)).astype(np.float32)
    if missing:
        numbers[rng.random(numbers.shape) < 0.1] = np.nan
    texts = rng.choice(["x", "y", "z", "never seen"], (500, 1)).astype(object)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(["variable" if label == VALUE else "probabilities"], {NUMBERS: numbers, TEXTS: texts})
    return np.asarray(found[0])


@pytest.mark.parametrize(
    ("estimator", "label"),
    [
        (HistGradientBoostingClassifier(max_iter=5, random_state=1), BINARY),
        (HistGradientBoostingClassifier(max_iter=5, random_state=1), SEVERAL),
        (HistGradientBoostingRegressor(max_iter=5, random_state=1), VALUE),
        (RandomForestClassifier(5, random_state=1), BINARY),
        (RandomForestRegressor(5, random_state=1), VALUE),
        (LogisticRegression(), SEVERAL),
        (KNeighborsRegressor(), VALUE),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_lean_graph_is_smaller_and_answers_with_the_same_bits(estimator: Any, label: str) -> None:
    whole = made(estimator, label)

    found = lean.lean(whole)

    assert len(found) < len(whole)
    missing = "HistGradient" in type(estimator).__name__
    assert answers(found, label, missing=missing).tobytes() == answers(whole, label, missing=missing).tobytes()


def test_the_steps_to_an_output_that_nobody_reads_are_gone() -> None:
    whole = made(GaussianNB(), BINARY)

    found = ModelProto.FromString(lean.lean(whole)).graph

    assert [output.name for output in found.output] == ["probabilities"]
    assert len(found.node) < len(ModelProto.FromString(whole).graph.node)
    assert {tensor.name for tensor in found.initializer} <= {name for node in found.node for name in node.input}


def test_each_text_column_is_looked_up_as_float32_at_once() -> None:
    rng = np.random.default_rng(7)
    signed = msgspec.structs.replace(SIGNED, numeric=["a"], categorical=["c", "d"])
    rows = pl.DataFrame(
        {
            "a": rng.normal(size=300).astype(np.float32),
            "c": rng.choice(["x", "y", "z"], 300),
            "d": rng.choice(["x", "y"], 300),
        }
    )
    encode = ("texts", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["c", "d"])
    columns = ColumnTransformer([("numbers", "passthrough", ["a"]), encode])
    trees = HistGradientBoostingClassifier(max_iter=3, random_state=1)
    wanted = (rows["c"] == rows["d"]).to_numpy()
    whole = convert.convert(Pipeline([("columns", columns), ("trees", trees)]).fit(rows, wanted), signed)

    found = lean.lean(whole)

    steps = [node.op_type for node in ModelProto.FromString(found).graph.node]
    pick = ["ArrayFeatureExtractor", "LabelEncoder"]
    assert sorted(steps) == sorted([*pick, *pick, "Concat", "TreeEnsembleClassifier"])
    feed = {
        NUMBERS: rng.normal(size=(200, 1)).astype(np.float32),
        TEXTS: rng.choice(["x", "y", "z", "never seen"], (200, 2)).astype(object),
    }
    sessions = [ort.InferenceSession(model, providers=["CPUExecutionProvider"]) for model in (found, whole)]
    ours, theirs = (session.run(["probabilities"], feed)[0] for session in sessions)
    assert len(np.unique(theirs[:, 1])) > 5
    assert ours.tobytes() == theirs.tobytes()


def test_integers_that_float32_cannot_hold_stay_integers() -> None:
    given = helper.make_tensor_value_info("texts", TensorProto.STRING, [None, 1])
    answer = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])
    look_up: dict[str, Any] = {"keys_strings": ["x"], "values_int64s": [2**24 + 1], "default_int64": -1}
    nodes = [
        helper.make_node("LabelEncoder", ["texts"], ["code"], domain="ai.onnx.ml", **look_up),
        helper.make_node("Cast", ["code"], ["variable"], to=TensorProto.FLOAT),
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    whole = helper.make_model(helper.make_graph(nodes, "large", [given], [answer]), opset_imports=opsets, ir_version=9)

    found = ModelProto.FromString(lean.lean(whole.SerializeToString())).graph

    assert [node.op_type for node in found.node] == ["LabelEncoder", "Cast"]


def test_equal_graphs_give_equal_bytes_and_a_lean_one_stays_as_it_is() -> None:
    whole = made(HistGradientBoostingClassifier(max_iter=2, random_state=1), BINARY)

    assert lean.lean(whole) == lean.lean(whole)
    assert lean.lean(lean.lean(whole)) == lean.lean(whole)


def test_where_missing_values_go_is_kept() -> None:
    rng = np.random.default_rng(7)
    number = np.where(rng.random(300) < 0.3, np.nan, rng.normal(size=300)).astype(np.float32)
    rows = pl.DataFrame({"a": number, "b": number, "c": ["x"] * 300})
    columns = ColumnTransformer([("numbers", "passthrough", ["a", "b"])])
    trees = HistGradientBoostingRegressor(max_iter=3, random_state=1)
    pipeline = Pipeline([("columns", columns), ("trees", trees)]).fit(rows, np.where(np.isnan(number), 5.0, number))
    whole = convert.convert(pipeline, SIGNED)

    assert answers(lean.lean(whole), VALUE, missing=True).tobytes() == answers(whole, VALUE, missing=True).tobytes()


def test_a_graph_with_steps_inside_of_steps_keeps_them_all() -> None:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    answer = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [1])
    sides = [
        helper.make_graph([helper.make_node(kind, ["a long name"], [f"{kind}_out"])], kind, [], [
            helper.make_tensor_value_info(f"{kind}_out", TensorProto.FLOAT, [1])
        ])
        for kind in ("Neg", "Abs")
    ]  # fmt: skip
    nodes = [
        helper.make_node("Exp", ["x"], ["a long name"], doc_string="for people"),
        helper.make_node("Greater", ["x", "limit"], ["large"]),
        helper.make_node("If", ["large"], ["variable"], then_branch=sides[0], else_branch=sides[1]),
    ]
    limit = helper.make_tensor("limit", TensorProto.FLOAT, [1], [0.0])
    graph = helper.make_graph(nodes, "nested", [given], [answer], [limit])
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    found = lean.lean(whole.SerializeToString())

    assert len(found) < len(whole.SerializeToString())
    session = ort.InferenceSession(found, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.array([1.0], np.float32)})[0][0] == pytest.approx(-np.e)
