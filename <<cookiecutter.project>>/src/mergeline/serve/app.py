"""The scoring server as a plain ASGI application over one bundle: no framework, so one row costs little."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle, Signature
from ..columns import Raw
from ..errors import BadData
from . import invocations, wire
from .telemetry import CONTENT_TYPE, Metrics
from .wire import Refused

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

JSON = "application/json"
# What is sent beyond the limit is read and dropped up to here, so that the sender gets to see the refusal.
DROPPED_BYTES = 64 * 2**20

log = logging.getLogger("mergeline.serve")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a body is read and answered; `names` says whether an answer names what gave it, beside its headers."""

    types: tuple[str, ...]
    read: Callable[[bytes, str, Signature], Raw]
    answer: Callable[[NDArray[np.float64], list[str], Signature], dict[str, Any]]
    names: bool


PREDICT = "/predict"
PROTOCOLS = {
    PREDICT: Protocol((JSON,), wire.read, wire.answer, names=True),
    "/invocations": Protocol(invocations.TYPES, invocations.read, invocations.answer, names=False),
}
_encode = msgspec.json.Encoder().encode


class Gone(Exception):
    """The client closed the connection before its request was complete."""


class Application:
    """Answers requests with one bundle until it is told to drain."""

    def __init__(self, bundle: Bundle, release: str | None = None) -> None:
        self._bundle = bundle
        self._release = release
        self._schema = _encode(bundle.signature)
        self._version = {"release": release, "bundle": bundle.id, "model": bundle.signature.name}
        self.metrics = Metrics(model=bundle.signature.name, bundle=bundle.id, release=release)
        self.metrics.ready.set(1)
        self._draining = False
        self._routes: dict[str, Callable[[], tuple[HTTPStatus, bytes, str]]] = {
            "/health": lambda: (HTTPStatus.OK, b'{"status":"alive"}', JSON),
            "/ready": self._ready,
            "/version": lambda: (HTTPStatus.OK, _encode(self._version), JSON),
            "/metrics": lambda: (HTTPStatus.OK, self.metrics.text(), CONTENT_TYPE),
            "/schema": lambda: (HTTPStatus.OK, self._schema, JSON),
            "/ping": self._ready,
        }

    def drain(self) -> None:
        """From now on close each connection with its answer, and report not ready."""
        self._draining = True
        self.metrics.ready.set(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path: str = scope["path"]
        method: str = scope["method"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request = _request_id(headers)
        route = path if path in self._routes or path in PROTOCOLS else "other"
        extra: Headers = []
        content = JSON
        with self.metrics.in_flight.track_inprogress():
            try:
                if path in PROTOCOLS:
                    if method != "POST":
                        extra.append((b"allow", b"POST"))
                        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} answers POST, not {method:.20}")
                    status, body = HTTPStatus.OK, await self._predict(PROTOCOLS[path], headers, receive)
                elif path in self._routes:
                    if method not in ("GET", "HEAD"):
                        extra.append((b"allow", b"GET, HEAD"))
                        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} answers GET, not {method:.20}")
                    status, body, content = self._routes[path]()
                else:
                    raise Refused(
                        HTTPStatus.NOT_FOUND, f"no such path; there are {', '.join([*PROTOCOLS, *self._routes])}"
                    )
            except Gone:
                return
            except Refused as refused:
                status, body = refused.status, _encode({"error": str(refused), "request": request})
                log.info(
                    "refused", extra={"fields": {"request": request, "status": status.value, "error": str(refused)}}
                )
            except Exception as error:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                body = _encode(
                    {"error": f"the server failed ({type(error).__name__}); see its log", "request": request}
                )
                log.exception("failed", extra={"fields": {"request": request, "path": path}})
            self.metrics.answered(route, status.value)
            await self._answer(send, status, body, content, request, extra)

    async def _predict(self, protocol: Protocol, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        kind = wire.content(_text(headers, b"content-type"), _text(headers, b"content-encoding"), protocol.types)
        body = await _body(receive)
        start = time.perf_counter()
        signature = self._bundle.signature
        raw = protocol.read(body, kind, signature)
        try:
            scores = self._bundle.scores(raw)
        except BadData as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        labels = wire.labels(scores, signature)
        who = {"release": self._release, "bundle": self._bundle.id} if protocol.names else {}
        answer = _encode(who | protocol.answer(scores, labels, signature))
        self.metrics.predicted(time.perf_counter() - start, len(scores), labels)
        return answer

    def _ready(self) -> tuple[HTTPStatus, bytes, str]:
        if self._draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, b'{"status":"draining"}', JSON
        return HTTPStatus.OK, b'{"status":"ready"}', JSON

    async def _answer(
        self, send: Send, status: HTTPStatus, body: bytes, content: str, request: str, extra: Headers
    ) -> None:
        headers: Headers = [
            (b"content-type", content.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request.encode()),
            *extra,
        ]
        if self._draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _request_id(headers: dict[bytes, bytes]) -> str:
    """Take the caller's id when it is short and harmless in a log and a header, else make one."""
    given = _text(headers, b"x-request-id")
    if 0 < len(given) <= 128 and given.isascii() and given.isprintable():
        return given
    return uuid.uuid4().hex


async def _body(receive: Receive) -> bytes:
    """Read the whole body. Raises Refused (413) beyond `wire.MAX_BYTES`, and Gone."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= wire.MAX_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False) or size > DROPPED_BYTES:
            break
    if size > wire.MAX_BYTES:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {wire.MAX_BYTES} bytes: send several requests",
        )
    return b"".join(chunks)
