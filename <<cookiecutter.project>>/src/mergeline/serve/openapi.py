"""`GET /openapi.json`: the server's routes as an OpenAPI 3.1 document, made once from what it serves."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from ..bundle import Bundle, Signature
from . import examples, schemas, settings
from .schemas import Schema, reference
from .scoring import PREDICT, PROTOCOLS
from .settings import Settings
from .tokens import OPEN_PATHS
from .wire import JSON, Bounds

VERSION = "3.1.0"

ERRORS = {
    HTTPStatus.BAD_REQUEST: "The body is not what its content type says.",
    HTTPStatus.UNAUTHORIZED: "A token of this service is missing.",
    HTTPStatus.NOT_FOUND: "The page is closed on this server.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The path answers another method: see the header allow.",
    HTTPStatus.REQUEST_TIMEOUT: "The request took too long to arrive.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too many bytes, rows or columns.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The content type or encoding is not known.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value does not fit its column, or no column of the model is there.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many wrong tokens: wait a second.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The head of the request is too large.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server has too much to do, or is about to go: ask again.",
}
ANYWHERE = (
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
OF_BODIES = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY)
OF_TOKENS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)

STATUS: Schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
SERVED: Schema = {
    "type": "object",
    "properties": {"release": {"type": ["string", "null"]}, "bundle": {"type": "string"}, "model": {"type": "string"}},
    "required": ["release", "bundle", "model"],
}
PAGES: dict[str, tuple[str, str, Schema]] = {
    "/health": ("Whether the process is alive", JSON, STATUS),
    "/ready": ("Whether new requests are welcome", JSON, STATUS),
    "/ping": ("The same, as MLflow's clients ask", JSON, STATUS),
    "/version": ("Which release, bundle and model answer", JSON, SERVED),
    "/schema": ("The model's columns, label and classes", JSON, reference("Signature")),
    "/metrics": ("Counts and times, for Prometheus", "text/plain", {"type": "string"}),
    "/openapi.json": ("All of this, for programs", JSON, {"type": "object"}),
    "/docs": ("A page to read and to try the model", "text/html", {"type": "string"}),
}
"""What each path that is read tells, its content type and form."""
CLOSABLE = {path for paths in settings.PAGES.values() for path in paths}

SUMMARIES = {PREDICT: "Predict one row or many", "/invocations": "Predict, as MLflow's clients ask"}
NAMES = {PREDICT: "Predict", "/invocations": "Invocations"}


def document(bundle: Bundle, release: str | None, said: Settings, pages: Sequence[str]) -> dict[str, Any]:
    """Give the document; `pages` are the paths of `PAGES` that the server answers."""
    signature = bundle.signature
    guarded = bool(said.token_hashes)
    _, named = msgspec.json.schema_components([Signature], ref_template="#/components/schemas/{name}")
    return {
        "openapi": VERSION,
        "info": {
            "title": signature.name,
            "version": release or bundle.id,
            "description": f"Predicts {signature.label} ({signature.task}).",
        },
        "servers": [{"url": "."}],
        "paths": {path: {"post": _scoring(path, bundle, release, guarded=guarded)} for path in PROTOCOLS}
        | {path: {"get": _reading(path, guarded=guarded)} for path in pages},
        "components": {
            "schemas": {
                **schemas.components(signature, Bounds(said.max_rows, said.max_columns)),
                **named,
            },
            "responses": {_name(status): _error(status, what) for status, what in ERRORS.items()},
            "parameters": {
                "RequestId": {
                    "name": "x-request-id",
                    "in": "header",
                    "description": "Comes back with the answer, and stands in the log; "
                    "another is made for one that is no ASCII or longer than 128 characters.",
                    "schema": {"type": "string"},
                }
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}] if guarded else [],
    }


def _scoring(path: str, bundle: Bundle, release: str | None, *, guarded: bool) -> dict[str, Any]:
    signature, rows = bundle.signature, bundle.smoke.rows
    answered: dict[str, Any] = {"schema": reference(f"{NAMES[path]}Answer")}
    content: dict[str, dict[str, Any]] = {JSON: {"schema": reference(f"{NAMES[path]}Body")}}
    if "text/csv" in PROTOCOLS[path].types:
        content["text/csv"] = {"schema": {"type": "string", "description": "With a header; empty is missing."}}
    if rows:
        bodies = examples.bodies(path, rows, signature)
        content[JSON]["examples"] = {name: {"value": value} for name, value in bodies.items()}
        answered["example"] = examples.answer(path, bundle, release)
        if "text/csv" in content:
            content["text/csv"]["example"] = examples.as_csv(rows, signature)
    refused = (*ANYWHERE, *OF_BODIES)
    made = _operation(path, SUMMARIES[path], {JSON: answered}, refused, guarded=guarded)
    return made | {"requestBody": {"required": True, "content": content}}


def _reading(path: str, *, guarded: bool) -> dict[str, Any]:
    summary, kind, schema = PAGES[path]
    refused = (*ANYWHERE, HTTPStatus.NOT_FOUND) if path in CLOSABLE else ANYWHERE
    return _operation(path, summary, {kind: {"schema": schema}}, refused, guarded=guarded)


def _operation(
    path: str, summary: str, content: dict[str, Any], refused: Sequence[HTTPStatus], *, guarded: bool
) -> dict[str, Any]:
    asks = guarded and path not in OPEN_PATHS
    statuses = sorted({*refused, *(OF_TOKENS if asks else ())})
    answers: dict[str, Any] = {
        "200": {"description": summary, "headers": {"x-request-id": _request_id(required=True)}, "content": content}
    }
    answers |= {str(status.value): {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}
    made: dict[str, Any] = {
        "operationId": path.strip("/").partition(".")[0],
        "summary": summary,
        "parameters": [{"$ref": "#/components/parameters/RequestId"}],
        "responses": answers,
    }
    return made | ({"security": []} if guarded and not asks else {})


def _error(status: HTTPStatus, what: str) -> dict[str, Any]:
    headers = {"x-request-id": _request_id(required=False)}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["retry-after"] = {"description": "Seconds.", "schema": {"type": "integer"}}
    schema = reference("Error")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:  # /ready says "draining" in the form of its 200
        schema = {"anyOf": [schema, STATUS]}
    return {"description": what, "headers": headers, "content": {JSON: {"schema": schema}}}


def _request_id(*, required: bool) -> dict[str, Any]:
    return {"description": "Yours, or one that was made.", "required": required, "schema": {"type": "string"}}


def _name(status: HTTPStatus) -> str:
    return "".join(word.capitalize() for word in status.name.split("_"))
