"""The converted graph without what no answer needs: the same bits from fewer bytes and fewer steps.

The server reads one output and no names. So the other output goes, with the steps that lead to it alone; so do texts
for people, what the operators take as given when it is absent, and steps that change nothing (`fuse`).
"""

from itertools import count
from typing import Any

from .fuse import fuse, replace

READ = ("probabilities", "variable")
"""The outputs that `bundle.Bundle.scores` reads, of classification and of regression."""
TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
HINTS = "nodes_hitrates"
"""How often training passed a node: the answer does not depend on it (ONNX operators, ai.onnx.ml)."""
MISSING = "nodes_missing_value_tracks_true"
"""Where it is absent, a missing value takes the false branch at every node."""


def lean(model: bytes) -> bytes:
    """Give a graph with the same inputs that answers the outputs of `READ` with the same bits.

    Args:
        model: a serialized ONNX model; one with steps inside of steps (Scan, If), functions or sparse constants
            keeps all of its steps.
    """
    from onnx import ModelProto

    made: Any = ModelProto.FromString(model)
    made.ClearField("metadata_props")
    made.ClearField("doc_string")
    graph = made.graph
    graph.ClearField("doc_string")
    graph.ClearField("value_info")
    for thing in (*graph.input, *graph.output, *graph.node, *graph.initializer):
        thing.ClearField("doc_string")
    if not made.functions and not graph.sparse_initializer and not any(_nested(node) for node in graph.node):
        fuse(graph)
        _drop_unread(graph)
        _shorten(graph)
    for node in graph.node:
        if node.op_type in TREES:
            _drop_defaults(node)
    return bytes(made.SerializeToString(deterministic=True))


def _nested(node: Any) -> bool:
    return any(attribute.HasField("g") or len(attribute.graphs) for attribute in node.attribute)


def _drop_unread(graph: Any) -> None:
    """Keep the outputs that are read, the steps that lead to them, and the constants that these take."""
    outputs = [output for output in graph.output if output.name in READ] or list(graph.output)
    needed = {output.name for output in outputs}
    kept = []
    for node in reversed(graph.node):  # ONNX wants them in an order in which each follows what it takes
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    replace(graph.output, outputs)
    replace(graph.node, kept[::-1])
    replace(graph.initializer, [constant for constant in graph.initializer if constant.name in needed])


def _shorten(graph: Any) -> None:
    """Give what passes between steps short names; what comes in and goes out keeps its own."""
    names: dict[str, str] = {thing.name: thing.name for thing in (*graph.input, *graph.output)}
    names[""] = ""  # of an optional input that is left out
    free = (name for name in map("t{}".format, count()) if name not in names)

    def short(name: str) -> str:
        if name not in names:
            names[name] = next(free)
        return names[name]

    for constant in graph.initializer:
        constant.name = short(constant.name)
    for node in graph.node:
        node.ClearField("name")
        node.input[:] = map(short, node.input)
        node.output[:] = map(short, node.output)


def _drop_defaults(node: Any) -> None:
    """Leave out of a tree ensemble what says the same by its absence."""
    kept = [
        attribute
        for attribute in node.attribute
        if attribute.name != HINTS and (attribute.name != MISSING or any(attribute.ints))
    ]
    replace(node.attribute, kept)
