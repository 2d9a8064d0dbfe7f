"""What travels over HTTP: a request's bytes become raw columns, scores become an answer.

A body is one row, a list of rows, `{"rows": [row, ...]}` or `{"columns": {name: [value, ...]}}`; the values are
those of the bundle's signature. Everything else is refused with a status of the 400s and one line.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import bundle
from ..bundle import Signature
from ..columns import Raw
from ..errors import BadData

JSON = "application/json"
MAX_BYTES = 10 * 2**20
MAX_ROWS = 10_000
MAX_COLUMNS = 1_000

decode = msgspec.json.Decoder().decode


class Refused(Exception):
    """A request that gets no prediction: `status` and `headers` are the answer's, the message is one line."""

    def __init__(self, status: HTTPStatus, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    @property
    def quiet(self) -> bool:
        """Say whether it comes in floods: a line each would fill the log."""
        return self.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a table may be; `columns` counts what a row or table has beside the model's columns."""

    rows: int = MAX_ROWS
    columns: int = MAX_COLUMNS


BOUNDS = Bounds()


def content(content_type: str, encoding: str, known: Sequence[str]) -> str:
    """Give the kind of a body that is one of those known, in UTF-8, before it is read; none named is the first of them.

    Raises:
        Refused: 415.
    """
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind and kind not in known:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type {kind!r:.60} is not known: send {' or '.join(known)}"
        )
    for parameter in parameters:
        if parameter.startswith("charset=") and parameter[8:].strip('"') not in ("utf-8", "utf8"):
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{parameter!r:.60} is not known: send UTF-8")
    if encoding.strip().lower() not in ("", "identity"):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-encoding {encoding!r:.60} is not known: send plain bytes"
        )
    return kind or known[0]


def read(body: bytes, kind: str, signature: Signature, bounds: Bounds = BOUNDS) -> Raw:  # noqa: ARG001 - one kind
    """Make raw columns of a request's body, each shape (n,), 1 <= n <= `bounds.rows`.

    Raises:
        Refused: 400 when it is no JSON, 422 when it does not fit the signature, 413 when it has too many rows.
    """
    return parsed(body, signature, bounds, _raw)


def parsed(body: bytes, signature: Signature, bounds: Bounds, parse: Callable[[bytes, Signature, Bounds], Raw]) -> Raw:
    """Parse, and say what is wrong with a body in one line. Raises Refused."""
    try:
        return parse(body, signature, bounds)
    except msgspec.DecodeError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from None
    except UnicodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from None
    except RecursionError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is nested too deeply") from None
    except BadData as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


def _raw(content: bytes, signature: Signature, bounds: Bounds) -> Raw:
    body = decode(content)
    if isinstance(body, dict) and len(body) == 1:
        if isinstance(table := body.get("columns"), dict):
            return from_columns(table, signature, bounds)
        if isinstance(listed := body.get("rows"), list):
            return from_rows(listed, signature, bounds)
    return from_rows(body if isinstance(body, list) else [body], signature, bounds)


def from_rows(rows: Sequence[Any], signature: Signature, bounds: Bounds) -> Raw:
    """Make raw columns of rows. Raises Refused, BadData."""
    check_rows(len(rows), bounds)
    known = signature.table.kinds
    most = bounds.columns + len(known)
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"row {i} is no JSON object: send one row, a list of rows, "
                'or an object with the one key "rows" or "columns"',
            )
        if len(row) > most:
            check_columns(len(row), signature, bounds)
        if not any(name in row for name in known):
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"row {i} has {_none_of(signature)}")
    return bundle.raw_from_rows(signature, rows)


def from_columns(table: Mapping[str, Any], signature: Signature, bounds: Bounds) -> Raw:
    """Make raw columns of columns. Raises Refused, BadData."""
    check_columns(len(table), signature, bounds)
    given = {name: table[name] for name in signature.table.kinds if name in table}
    if not given:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"the table has {_none_of(signature)}")
    for name, values in given.items():
        if not isinstance(values, list):
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"column {name} is no list of values")
    lengths = {len(values) for values in given.values()}
    if len(lengths) > 1:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"columns differ in length: {sorted(lengths)[:4]}")
    count = lengths.pop()
    check_rows(count, bounds)
    absent = [None] * count
    return signature.table.raw(
        lambda names: list(chain.from_iterable(given.get(name, absent) for name in names)), count
    )


def check_columns(count: int, signature: Signature, bounds: Bounds) -> None:
    """See that a row or a table is not too wide. Raises Refused (413)."""
    if count > (most := bounds.columns + len(signature.columns)):
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{count} columns, the limit is {most}: send those of /schema"
        )


def check_rows(rows: int, bounds: Bounds) -> None:
    """See that there are rows, and not too many. Raises Refused (422, 413)."""
    if not rows:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "there is no row to predict")
    if rows > bounds.rows:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{rows} rows, the limit is {bounds.rows}: send several requests"
        )


def _none_of(signature: Signature) -> str:
    names = [column.name for column in signature.columns]
    return f"none of the model's columns ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''}): see /schema"


def labels(scores: NDArray[np.float64], signature: Signature) -> list[str]:
    """Name the class that each row is called, shape (n,); none for regression.

    Args:
        scores: shape (n, classes), or (n, 1) for regression.
        signature: of the bundle.

    Raises:
        Refused: 422, the model has no finite answer for a row.
    """
    if not math.isfinite(scores.sum()) and not (finite := np.isfinite(scores).all(axis=1)).all():
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"row {int(finite.argmin())}: the model has no finite answer for its values",
        )
    return bundle.labels(scores, signature)


def answer(scores: NDArray[np.float64], named: Sequence[str], signature: Signature) -> dict[str, Any]:
    """Give one prediction a row: `value` for regression, `label` and `score` for two classes, else `probabilities`.

    Args:
        scores: shape (n, classes), or (n, 1) for regression.
        named: what `labels` gives.
        signature: of the bundle.
    """
    classes = signature.classes
    if not classes:
        return {"predictions": [{"value": value} for value in scores[:, 0].tolist()]}
    if len(classes) == 2:
        pairs = zip(named, scores[:, 1].tolist(), strict=True)
        return {"predictions": [{"label": label, "score": score} for label, score in pairs]}
    return {
        "predictions": [
            {"label": label, "probabilities": dict(zip(classes, row, strict=True))}
            for label, row in zip(named, scores.tolist(), strict=True)
        ]
    }
