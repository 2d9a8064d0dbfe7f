"""What goes in and comes out as JSON Schema (draft 2020-12), made from a bundle's signature.

A body that fits the schema is answered, but for what JSON Schema cannot say: columns of equal length, a row of
`dataframe_split` as long as its `columns`, dates that the calendar lacks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ..bundle import Signature
from ..columns import LARGEST_INTEGER
from .wire import Bounds

Schema: TypeAlias = dict[str, Any]

VALUES: Mapping[str, Schema] = {
    "number": {
        "type": ["number", "boolean", "null"],
        "minimum": -LARGEST_INTEGER,
        "maximum": LARGEST_INTEGER,
        "description": "A number; true and false count as 1 and 0; null is a missing value.",
    },
    "text": {"type": ["string", "null"], "description": "Text; null is a missing value."},
    "time": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "ISO 8601; without a zone it is UTC; null is a missing value.",
    },
}
SCALAR: Schema = {"type": ["number", "string", "boolean", "null"]}


def reference(name: str) -> Schema:
    """Point to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def components(signature: Signature, bounds: Bounds) -> dict[str, Schema]:
    """Give the schemas that a document names: the row, the table, the bodies, the answers."""
    some = _some([column.name for column in signature.columns])
    most = bounds.columns + len(signature.columns)
    rows = {"type": "array", "items": reference("Row"), "minItems": 1, "maxItems": bounds.rows}
    return {
        "Row": {
            "type": "object",
            "description": "One raw row. A column that is left out is a missing value, another one is ignored.",
            "properties": {column.name: VALUES[column.kind] for column in signature.columns},
            "maxProperties": most,
            **some,
        },
        "Rows": rows,
        "Columns": {
            "type": "object",
            "description": "Columns of equal length.",
            "properties": {
                column.name: {
                    "type": "array",
                    "items": VALUES[column.kind],
                    "minItems": 1,
                    "maxItems": bounds.rows,
                }
                for column in signature.columns
            },
            "maxProperties": most,
            **some,
        },
        "PredictBody": {
            "anyOf": [
                reference("Row"),
                reference("Rows"),
                _only("rows", reference("Rows")),
                _only("columns", reference("Columns")),
            ]
        },
        "InvocationsBody": _invocations(bounds, most),
        "Prediction": _prediction(signature),
        "PredictAnswer": {
            "type": "object",
            "properties": {
                "release": {"type": ["string", "null"], "description": "The id of the release that answered."},
                "bundle": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "The id of its bundle."},
                "predictions": {"type": "array", "items": reference("Prediction"), "minItems": 1},
            },
            "required": ["release", "bundle", "predictions"],
        },
        "InvocationsAnswer": {
            "type": "object",
            "properties": {"predictions": {"type": "array", "items": _mlflow(signature), "minItems": 1}},
            "required": ["predictions"],
        },
        "Error": {
            "type": "object",
            "properties": {
                "error": {"type": "string", "description": "What is wrong, in one line."},
                "request": {"type": "string", "description": "The request's id, as in the header x-request-id."},
            },
            "required": ["error"],
        },
    }


def _some(names: Sequence[str]) -> Schema:
    """Say that one of the columns is there."""
    return {"anyOf": [{"required": [name]} for name in names]} if names else {}


def _only(key: str, schema: Schema) -> Schema:
    return {"type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": False}


def _invocations(bounds: Bounds, most: int) -> Schema:
    """Give the four forms of MLflow; one of their keys is there, what is beside it is ignored."""
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": most},
            "data": {
                "type": "array",
                "items": {"type": "array", "items": SCALAR},
                "minItems": 1,
                "maxItems": bounds.rows,
            },
        },
        "required": ["columns", "data"],
    }
    table = {"anyOf": [reference("Rows"), reference("Columns")]}
    forms = {"dataframe_split": split, "dataframe_records": reference("Rows"), "instances": table, "inputs": table}
    return {
        "oneOf": [{"type": "object", "properties": {key: form}, "required": [key]} for key, form in forms.items()],
    }


def _prediction(signature: Signature) -> Schema:
    classes = signature.classes
    if not classes:
        return _object({"value": {"type": "number", "description": f"The predicted {signature.label}."}})
    label = {"type": "string", "enum": classes}
    if len(classes) == 2:
        score = {
            "type": "number",
            "description": f"The probability of {classes[1]}, which is the label from {signature.threshold:g} on.",
        }
        return _object({"label": label, "score": score})
    return _object({"label": label, "probabilities": _object({name: {"type": "number"} for name in classes})})


def _mlflow(signature: Signature) -> Schema:
    classes = signature.classes
    if not classes:
        return _object({"prediction": {"type": "number"}})
    probabilities = {f"probability_{name}": {"type": "number"} for name in classes}
    return _object({"prediction": {"type": "string", "enum": classes}, **probabilities})


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}
