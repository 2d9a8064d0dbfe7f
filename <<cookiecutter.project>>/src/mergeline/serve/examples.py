"""A bundle's smoke rows as requests of every form, their answers, and the command line that sends the first."""

import csv
import shlex
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, TypeAlias

import msgspec
import numpy as np

from ..bundle import Bundle, Signature, Smoke, labels
from .scoring import PREDICT, PROTOCOLS

Rows: TypeAlias = Sequence[Mapping[str, Any]]


def bodies(path: str, rows: Rows, signature: Signature) -> dict[str, Any]:
    """Give each form of a JSON body that `path` takes, by its name; none without rows."""
    if not rows:
        return {}
    table = _columns(rows, signature)
    if path == PREDICT:
        return {"row": rows[0], "list": rows, "rows": {"rows": rows}, "columns": {"columns": table}}
    split = {"columns": list(table), "data": [list(row) for row in zip(*table.values(), strict=True)]}
    return {
        "dataframe_split": {"dataframe_split": split},
        "dataframe_records": {"dataframe_records": rows},
        "instances": {"instances": rows},
        "inputs": {"inputs": table},
    }


def as_csv(rows: Rows, signature: Signature) -> str:
    """Give rows as CSV with a header; a missing value is empty."""
    table = _columns(rows, signature)
    out = StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(table)
    lines.writerows(zip(*table.values(), strict=True))
    return out.getvalue()


def answer(path: str, bundle: Bundle, release: str | None) -> dict[str, Any]:
    """Give what `path` answers to all smoke rows."""
    scores = np.asarray(bundle.smoke.scores)
    protocol = PROTOCOLS[path]
    said = protocol.answer(scores, labels(scores, bundle.signature), bundle.signature)
    return {"release": release, "bundle": bundle.id, **said} if protocol.names else said


def curl(url: str, smoke: Smoke, *, token: bool = False) -> str:
    """Give a command line that asks for the prediction of the first smoke row."""
    row = msgspec.json.encode(smoke.rows[0] if smoke.rows else {}).decode()
    asks = ' -H "authorization: Bearer $MERGELINE_TOKEN"' if token else ""
    return f"curl -s {url}{PREDICT}{asks} -H 'content-type: application/json' -d {shlex.quote(row)}"


def _columns(rows: Rows, signature: Signature) -> dict[str, list[Any]]:
    return {column.name: [row.get(column.name) for row in rows] for column in signature.columns}
