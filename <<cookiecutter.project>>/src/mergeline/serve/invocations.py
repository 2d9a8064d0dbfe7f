"""MLflow's scoring protocol, so that its clients work unchanged: `POST /invocations`, and `GET /ping`.

A body is `{"dataframe_split": {"columns": [...], "data": [[...], ...]}}`, `{"dataframe_records": [row, ...]}`,
`{"instances": [row, ...]}`, `{"inputs": {column: [value, ...]}}` or CSV with a header; `params` beside is ignored, as the
model has none. The answer is what `mlflow models serve` gives for the registered model: `{"predictions": [{"prediction":
..., "probability_<class>": ...}, ...]}`. Parquet, and what is said to a language model, is refused.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from io import StringIO
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..bundle import Signature
from ..columns import CSV_MISSING, Raw
from . import wire
from .wire import Refused

TYPES = ("application/json", "text/csv")
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def read(body: bytes, kind: str, signature: Signature) -> Raw:
    """Make raw columns of a request's body, each shape (n,), 1 <= n <= `wire.MAX_ROWS`. See `wire.read`."""
    return wire.parsed(body, signature, _from_csv if kind == "text/csv" else _from_json)


def answer(scores: NDArray[np.float64], labels: Sequence[str], signature: Signature) -> dict[str, Any]:
    """Give what MLflow gives.

    Args:
        scores: shape (n, classes), or (n, 1) for regression.
        labels: shape (n,); empty for regression.
        signature: of the bundle.
    """
    if not labels:
        return {"predictions": [{"prediction": value} for value in scores[:, 0].tolist()]}
    names = [f"probability_{name}" for name in signature.classes]
    return {
        "predictions": [
            {"prediction": label, **dict(zip(names, row, strict=True))}
            for label, row in zip(labels, scores.tolist(), strict=True)
        ]
    }


def _from_json(body: bytes, signature: Signature) -> Raw:
    given = _decode(body)
    known = [name for name in FORMATS if isinstance(given, Mapping) and name in given]
    if len(known) != 1:
        raise Refused(HTTPStatus.BAD_REQUEST, f"send a JSON object with one of the keys {', '.join(FORMATS)}")
    table = given[known[0]]
    if known[0] == "dataframe_split":
        return wire.from_columns(_split(table), signature)
    if isinstance(table, Mapping):
        return wire.from_columns(table, signature)
    if isinstance(table, list):
        return wire.from_rows(table, signature)
    raise Refused(HTTPStatus.BAD_REQUEST, f"{known[0]} is neither a list of rows nor an object of columns")


def _decode(body: bytes) -> Any:
    """Decode JSON as MLflow's clients write it: with NaN for what is missing."""
    try:
        return wire.decode(body)
    except msgspec.DecodeError:
        try:
            return json.loads(body, parse_constant=lambda word: None if word == "NaN" else float(word))
        except ValueError:
            pass
        raise  # with the place where it goes wrong


def _split(table: Any) -> dict[str, list[Any]]:
    names, rows = (table.get(key) for key in ("columns", "data")) if isinstance(table, Mapping) else (None, None)
    if not isinstance(names, list) or not isinstance(rows, list):
        raise Refused(HTTPStatus.BAD_REQUEST, "dataframe_split is no object with the lists columns and data")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise Refused(HTTPStatus.BAD_REQUEST, f"dataframe_split.data: row {i} is no list of {len(names)} values")
    return {str(name): [row[i] for row in rows] for i, name in enumerate(names)}


def _from_csv(body: bytes, signature: Signature) -> Raw:
    lines = csv.reader(StringIO(body.decode(), newline=""), strict=True)
    try:
        names, *rows = [line for line in lines if line]
    except (csv.Error, ValueError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is no CSV with a header: {error}") from None
    numbers = {column.name for column in signature.columns if column.kind == "number"}
    table: dict[str, list[Any]] = {}
    for i, name in enumerate(names):
        values = [line[i] if i < len(line) else "" for line in rows]
        table[name] = [_value(value, name in numbers, name) for value in values]
    return wire.from_columns(table, signature)


def _value(text: str, number: bool, name: str) -> Any:
    if text in CSV_MISSING:
        return None
    if not number:
        return text
    try:
        return {"true": 1.0, "false": 0.0}.get(text.lower()) if text.lower() in ("true", "false") else float(text)
    except ValueError:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"column {name}: {text!r:.40} is no number") from None
