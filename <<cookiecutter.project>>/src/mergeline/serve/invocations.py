"""MLflow's scoring protocol, so that its clients work unchanged: `POST /invocations`, and `GET /ping`.

A body is `{"dataframe_split": {"columns": [...], "data": [[...], ...]}}`, `{"dataframe_records": [row, ...]}`,
`{"instances": [row, ...]}`, `{"inputs": {column: [value, ...]}}` or CSV with a header; `params` beside is ignored, as the
model has none. The answer is what `mlflow models serve` gives for the registered model: `{"predictions": [{"prediction":
..., "probability_<class>": ...}, ...]}`. Parquet, and what is said to a language model, is refused.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from io import StringIO
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..bundle import Signature
from ..columns import CSV_MISSING, Raw
from . import wire
from .wire import BOUNDS, Bounds, Refused

TYPES = ("application/json", "text/csv")
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
QUOTED = re.compile(r'(?:^|(?<=,))"[^"]*(?:""[^"]*)*(?:"|$)')


def read(body: bytes, kind: str, signature: Signature, bounds: Bounds = BOUNDS) -> Raw:
    """Make raw columns of a request's body, each shape (n,), 1 <= n <= `bounds.rows`. See `wire.read`."""
    return wire.parsed(body, signature, bounds, _from_csv if kind == "text/csv" else _from_json)


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


def _from_json(body: bytes, signature: Signature, bounds: Bounds) -> Raw:
    given = _decode(body)
    known = [name for name in FORMATS if name in given] if isinstance(given, dict) else []
    if len(known) != 1:
        raise Refused(HTTPStatus.BAD_REQUEST, f"send a JSON object with one of the keys {', '.join(FORMATS)}")
    table = given[known[0]]
    if known[0] == "dataframe_split":
        return wire.from_columns(_split(table, signature, bounds), signature, bounds)
    if isinstance(table, dict):
        return wire.from_columns(table, signature, bounds)
    if isinstance(table, list):
        return wire.from_rows(table, signature, bounds)
    raise Refused(HTTPStatus.BAD_REQUEST, f"{known[0]} is neither a list of rows nor an object of columns")


def _decode(body: bytes) -> Any:
    """Decode JSON as MLflow's clients write it: with NaN for what is missing."""
    try:
        return wire.decode(body)
    except msgspec.DecodeError:
        try:
            text = body.decode()  # json would take UTF-16 too, and halves of characters
            found = json.loads(text, parse_constant=lambda word: None if word == "NaN" else float(word))
            if "\\u" in text:
                json.dumps(found, ensure_ascii=False).encode()  # an escape can be half a character, which is no text
            return found
        except ValueError:
            pass
        raise  # with the place where it goes wrong


def _split(table: Any, signature: Signature, bounds: Bounds) -> dict[str, list[Any]]:
    names, rows = (table.get(key) for key in ("columns", "data")) if isinstance(table, dict) else (None, None)
    if not isinstance(names, list) or not isinstance(rows, list):
        raise Refused(HTTPStatus.BAD_REQUEST, "dataframe_split is no object with the lists columns and data")
    wire.check_columns(len(names), signature, bounds)
    wire.check_rows(len(rows), bounds)
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise Refused(HTTPStatus.BAD_REQUEST, f"dataframe_split.data: row {i} is no list of {len(names)} values")
    return dict(zip(map(str, names), map(list, zip(*rows, strict=True)), strict=True))


def _from_csv(body: bytes, signature: Signature, bounds: Bounds) -> Raw:
    """Read line by line, so that what is too much is refused before lists are made of it."""
    lines = csv.reader(_bounded(body.decode(), signature, bounds), strict=True)
    try:
        names = next((line for line in lines if line), None)
        if names is None:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no CSV with a header: it is empty")
        wire.check_columns(len(names), signature, bounds)
        kinds = signature.table.kinds
        places = {name: i for i, name in enumerate(names) if name in kinds}
        rows: list[list[str]] = []
        for line in lines:
            if line:
                rows.append([line[i] if i < len(line) else "" for i in places.values()])
                if len(rows) > bounds.rows:
                    wire.check_rows(len(rows), bounds)
    except (csv.Error, ValueError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is no CSV with a header: {error}") from None
    table = {name: [_value(row[i], kinds[name] == "number", name) for row in rows] for i, name in enumerate(places)}
    return wire.from_columns(table, signature, bounds)


def _bounded(text: str, signature: Signature, bounds: Bounds) -> Iterator[str]:
    """Give the lines. Raises Refused (413): more empty ones than rows may be, or a line of too many columns."""
    most = bounds.columns + len(signature.columns)
    empty = 0
    for line in StringIO(text, newline=""):
        if line.isspace():
            empty += 1
            if empty > bounds.rows:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {bounds.rows} empty lines")
        elif line.count(",") >= most:  # the commas of a quoted text part no columns
            wire.check_columns(QUOTED.sub("", line).count(",") + 1, signature, bounds)
        yield line


def _value(text: str, number: bool, name: str) -> Any:
    if text in CSV_MISSING:
        return None
    if not number:
        return text
    try:
        return {"true": 1.0, "false": 0.0}.get(text.lower()) if text.lower() in ("true", "false") else float(text)
    except ValueError:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"column {name}: {text!r:.40} is no number") from None
