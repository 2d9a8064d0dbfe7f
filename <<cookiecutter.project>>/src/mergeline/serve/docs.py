"""`GET /docs`: one page that holds everything, shows the routes and columns, and tries the model.

Its policy lets the browser run its own script and style, known by their hash, and ask this server, nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from ..bundle import Bundle
from . import examples
from .schemas import VALUES

FILE = Path(__file__).with_name("docs.html")
ORIGIN = "http://localhost:8000"
"""Stands in the command line until the page's script puts its own address there."""


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes of the page, and the headers that belong to it."""

    body: bytes
    headers: Sequence[tuple[bytes, bytes]]


def page(bundle: Bundle, release: str | None, document: Mapping[str, Any]) -> Page:
    """Make the page of a bundle; `document` is the one of `openapi`. All values are escaped."""
    template = FILE.read_text(encoding="utf-8")
    signature, rows = bundle.signature, bundle.smoke.rows
    row: Mapping[str, Any] = rows[0] if rows else {}
    routes = [
        (method.upper(), path, operation["summary"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    columns = [
        (column.name, column.kind, VALUES[column.kind]["description"], _json(row.get(column.name)))
        for column in signature.columns
    ]
    html = Template(template).substitute(
        name=escape(signature.name),
        predicts=escape(f"Predicts {signature.label}: {', '.join(signature.classes) or 'a number'}."),
        served=escape(f"release {release[:12]}, " if release else "") + f"bundle {bundle.id[:12]}",
        row=escape(msgspec.json.format(msgspec.json.encode(row), indent=2).decode()),
        curl=escape(examples.curl(ORIGIN, bundle.smoke, token=bool(document["security"]))),
        routes=_lines(routes),
        columns=_lines(columns),
    )
    return Page(html.encode(), _headers(template))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _lines(table: Sequence[Sequence[str]]) -> str:
    return "\n".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in line) + "</tr>" for line in table)


def _headers(template: str) -> list[tuple[bytes, bytes]]:
    """Give the policy; what is substituted lies in neither the script nor the style, so the template's hashes hold."""
    style, script = (_hash(re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL)) for tag in ("style", "script"))
    policy = (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]


def _hash(parts: Sequence[str]) -> str:
    (content,) = parts
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
