"""A bundle that answers many rows in half of the time: look-ups of text by `dict`, the trees by tables.

What stands between these two in the graph stays onnxruntime's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .. import bundle as bundles
from ..bundle import TEXTS, Bundle, Session
from . import trees
from .grid import Floats
from .trees import Trees

KINDS = {("TreeEnsembleClassifier", b"LOGISTIC"): "class", ("TreeEnsembleRegressor", b"NONE"): "target"}
"""What the attributes of a leaf begin with, by operator and `post_transform`."""


def quick(bundle: Bundle, model: bytes) -> Bundle:
    """Give a bundle that answers as this one does, with the same bits.

    It is this one itself where its graph does not end in boosted trees for two classes or for a value, or where it
    carries no rows to compare the two on.

    Args:
        bundle: verified, with one thread.
        model: the bytes of its `model.onnx`.
    """
    session = _session(bundle.session, model) if bundle.smoke.rows else None
    if session is None:
        return bundle
    made, rows = replace(bundle, session=session), bundles.raw_from_rows(bundle.signature, bundle.smoke.rows)
    return made if np.array_equal(made.scores(rows), bundle.scores(rows), equal_nan=True) else bundle


class _Codes(dict[str, float]):
    """A look-up of the graph, of one column of `texts`."""

    def __init__(self, column: int, known: Mapping[str, float], other: float) -> None:
        super().__init__(known)
        self.column, self.other = column, other

    def __missing__(self, _: str) -> float:
        return self.other

    def of(self, texts: NDArray[np.object_]) -> Floats:
        """Give shape (n, 1) of shape (n, columns)."""
        found = map(self.__getitem__, texts[:, self.column].tolist())
        return np.fromiter(found, np.float32, len(texts))[:, None]


@dataclass(frozen=True, slots=True)
class _Quick:
    """Is asked as the session of the whole graph is."""

    whole: Session
    codes: Mapping[str, _Codes]
    between: ort.InferenceSession
    trees: Trees
    after: ort.InferenceSession | None

    def get_inputs(self) -> Sequence[Any]:
        return self.whole.get_inputs()

    def run(self, _: Sequence[str], feed: Mapping[str, NDArray[Any]], /) -> list[Floats]:
        taken = {one.name for one in self.between.get_inputs()}
        given = {name: values for name, values in feed.items() if name in taken}
        coded = {name: codes.of(feed[TEXTS]) for name, codes in self.codes.items()}
        sums = self.trees.sums(self.between.run(None, given | coded)[0])
        return [self.after.run(["answer"], {"sums": sums})[0] if self.after else sums]


def _session(whole: Session, model: bytes) -> _Quick | None:
    from onnx import ModelProto, helper

    made = ModelProto.FromString(model)
    last = made.graph.node[-1]
    given = _attributes(last)
    kind = KINDS.get((last.op_type, given.get("post_transform", b"NONE")))
    read = trees.read(given, kind) if kind else None
    if read is None:
        return None
    last.CopyFrom(helper.make_node("Identity", last.input, ["matrix"]))
    del made.graph.output[:]
    made.graph.output.append(helper.make_empty_tensor_value_info("matrix"))
    codes = _lift(made.graph)
    between = bundles.session(made.SerializeToString(), "what precedes the trees", 1)
    return _Quick(whole, codes, between, read, _logistic(made) if kind == "class" else None)


def _logistic(model: Any) -> ort.InferenceSession:
    """Make probabilities of sums by the function that the trees' own operator has: of a linear model, sums as it is."""
    from onnx import TensorProto, helper

    node = helper.make_node(
        "LinearClassifier",
        ["sums"],
        ["label", "answer"],
        domain="ai.onnx.ml",
        coefficients=[1.0],
        intercepts=[0.0],
        classlabels_ints=[0, 1],
        post_transform="LOGISTIC",
    )
    sums = helper.make_tensor_value_info("sums", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([node], "logistic", [sums], [helper.make_empty_tensor_value_info("answer")])
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return bundles.session(made.SerializeToString(), "the logistic function", 1)


def _lift(graph: Any) -> dict[str, _Codes]:
    """Take the look-ups of columns of `texts` out of the graph; what each gives is an input from then on."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {one.name: numpy_helper.to_array(one).ravel().tolist() for one in graph.initializer}
    picked: dict[str, int] = {}
    codes: dict[str, _Codes] = {}
    for node in graph.node:
        given, source = _attributes(node), next(iter(node.input), "")
        if node.op_type == "ArrayFeatureExtractor" and source == TEXTS and len(constants.get(node.input[1], ())) == 1:
            picked[node.output[0]] = constants[node.input[1]][0]
        elif node.op_type == "LabelEncoder" and source in picked and "values_floats" in given:
            known = zip(map(bytes.decode, given["keys_strings"]), given["values_floats"], strict=True)
            codes[node.output[0]] = _Codes(picked[source], dict(known), given.get("default_float", 0.0))
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.intersection(node.output) and not codes.keys() & set(node.output):
            needed.update(node.input)
        else:
            graph.node.remove(node)
    for one in [one for one in graph.input if one.name not in needed]:
        graph.input.remove(one)
    graph.input.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in codes)
    return codes


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
