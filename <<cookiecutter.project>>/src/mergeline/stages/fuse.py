"""Fewer steps from text columns to the matrix of features: each step of a graph costs about a microsecond a call.

An OrdinalEncoder becomes, for each column, a look-up of integers, a change to the shape that they have already, and then
one cast of all of them. The look-ups can give the numbers as float32 at once: integers below 2^24 are the same there.
"""

from collections import Counter
from typing import Any

EXACT = 2**24
"""Up to here float32 holds every integer."""
COLUMN = [-1, 1]


def fuse(graph: Any) -> None:
    """Take out of a graph without steps inside of steps what changes nothing; every answer keeps its bits."""
    _drop_reshapes(graph)
    _drop_casts(graph)
    _join_concats(graph)


def _drop_reshapes(graph: Any) -> None:
    """Drop the change to shape (n, 1) of what has it: one picked column, encoded value by value."""
    from onnx import numpy_helper

    constants = {constant.name: numpy_helper.to_array(constant).ravel().tolist() for constant in graph.initializer}
    given = {thing.name for thing in graph.input}
    columns = {thing.name for thing in graph.input if _width(thing) == 1}
    same: dict[str, str] = {}
    for node in graph.node:
        constant = constants.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type == "Reshape" and node.input[0] in columns and constant == COLUMN:
            same[node.output[0]] = node.input[0]
        picked = node.op_type == "ArrayFeatureExtractor" and node.input[0] in given and len(constant or ()) == 1
        if picked or (node.op_type == "LabelEncoder" and node.input[0] in columns):
            columns.add(node.output[0])
    _without(graph, same)


def _width(thing: Any) -> int | None:
    shape = thing.type.tensor_type.shape.dim
    return int(shape[1].dim_value) if len(shape) == 2 else None


def _drop_casts(graph: Any) -> None:
    """Let look-ups that are cast to float32, and used for nothing else, give float32."""
    from onnx import TensorProto, helper

    makers, users = _makers(graph), _users(graph)
    same: dict[str, str] = {}
    for cast in graph.node:
        if cast.op_type != "Cast" or helper.get_node_attr_value(cast, "to") != TensorProto.FLOAT:
            continue
        source = makers.get(cast.input[0])
        parts = source.input if source is not None and source.op_type == "Concat" else cast.input
        encoders: list[Any] = [makers.get(name) for name in parts]
        if all(map(_gives_small_integers, encoders)) and all(
            users[name] == 1 for name in (cast.input[0], *(encoder.output[0] for encoder in encoders))
        ):
            for encoder in encoders:
                _give_floats(encoder)
            same[cast.output[0]] = cast.input[0]
    _without(graph, same)


def _gives_small_integers(node: Any) -> bool:
    if node is None or node.op_type != "LabelEncoder":
        return False
    given = {attribute.name: attribute for attribute in node.attribute}
    if "values_int64s" not in given or "default_int64" not in given:
        return False
    return all(abs(value) < EXACT for value in (*given["values_int64s"].ints, given["default_int64"].i))


def _give_floats(encoder: Any) -> None:
    from onnx import helper

    kept = []
    for attribute in encoder.attribute:
        if attribute.name == "values_int64s":
            kept.append(helper.make_attribute("values_floats", list(map(float, attribute.ints))))
        elif attribute.name == "default_int64":
            kept.append(helper.make_attribute("default_float", float(attribute.i)))
        else:
            kept.append(attribute)
    replace(encoder.attribute, kept)


def _join_concats(graph: Any) -> None:
    """Let a concatenation take the parts of another one along the same axis that nothing else uses."""
    makers, users = _makers(graph), _users(graph)
    gone = set()
    for node in graph.node:
        if node.op_type != "Concat":
            continue
        parts: list[str] = []
        for name in node.input:
            inner = makers.get(name)
            if (
                inner is not None
                and inner.op_type == "Concat"
                and users[name] == 1
                and inner.attribute == node.attribute
            ):
                parts += inner.input
                gone.add(name)
            else:
                parts.append(name)
        node.input[:] = parts
    replace(graph.node, [node for node in graph.node if not gone.intersection(node.output)])


def _makers(graph: Any) -> dict[str, Any]:
    return {name: node for node in graph.node for name in node.output}


def _users(graph: Any) -> Counter[str]:
    """Count who takes a value; an output of the graph is taken by the caller."""
    return Counter([name for node in graph.node for name in node.input] + [output.name for output in graph.output])


def _without(graph: Any, same: dict[str, str]) -> None:
    """Leave out the steps that make the keys, and take the values instead; what the caller takes stays."""
    for output in graph.output:
        same.pop(output.name, None)
    replace(graph.node, [node for node in graph.node if not same.keys() & set(node.output)])
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]


def replace(field: Any, kept: list[Any]) -> None:
    """Put other messages into a repeated field, which may hold them already."""
    copies = [type(one).FromString(one.SerializeToString(deterministic=True)) for one in kept]
    del field[:]
    field.extend(copies)
