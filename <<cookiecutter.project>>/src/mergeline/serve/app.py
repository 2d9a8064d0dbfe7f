"""The scoring server as a plain ASGI application over one bundle: no framework, so one row costs little."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from ..bundle import Bundle
from . import docs, metrics, openapi, request, scoring, wire
from .limits import Limits
from .metrics import CONTENT_TYPE, Metrics
from .request import Gone, Receive, Request, Scope
from .scoring import PROTOCOLS, encode
from .settings import Settings
from .tokens import Guard
from .wire import JSON, Bounds, Refused

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

HTML = "text/html; charset=utf-8"
CLOSING = {"metrics": ("/metrics",), "docs": ("/docs", "/openapi.json")}
"""The paths that a closed page takes away; see `settings.PAGES`."""

log = logging.getLogger("mergeline.serve")


class Application:
    """Answers requests with one bundle until it is told to drain."""

    def __init__(self, bundle: Bundle, release: str | None = None, settings: Settings | None = None) -> None:
        self.settings = settings = settings or Settings()
        self._guard = Guard(settings.token_hashes)
        self._limits = Limits(settings.max_requests)
        self._bounds = Bounds(settings.max_rows, settings.max_columns)
        self._bundle = bundle
        self._release = release
        self._schema = encode(bundle.signature)
        self._version = {"release": release, "bundle": bundle.id, "model": bundle.signature.name}
        self._draining = False
        self._routes: dict[str, Callable[[], tuple[HTTPStatus, bytes, str]]] = {
            "/health": lambda: (HTTPStatus.OK, b'{"status":"alive"}', JSON),
            "/ready": self._ready,
            "/version": lambda: (HTTPStatus.OK, encode(self._version), JSON),
            "/metrics": lambda: (HTTPStatus.OK, self.metrics.text(), CONTENT_TYPE),
            "/schema": lambda: (HTTPStatus.OK, self._schema, JSON),
            "/ping": self._ready,
            "/openapi.json": lambda: (HTTPStatus.OK, self._document, JSON),
            "/docs": lambda: (HTTPStatus.OK, self._docs.body, HTML),
        }
        for path in [path for name in settings.closed for path in CLOSING[name]]:
            del self._routes[path]
        document = openapi.document(bundle, release, settings, list(self._routes))
        self._document = encode(document)
        self._docs = docs.page(bundle, release, document)
        self._headers = {"/docs": self._docs.headers}
        self.metrics = Metrics(bundle, release, [*PROTOCOLS, *self._routes], folder=metrics.folder())
        self.metrics.ready(welcome=True)

    def drain(self) -> None:
        """From now on close each connection with its answer, and report not ready."""
        self._draining = True
        self.metrics.ready(welcome=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = request.of(scope)
        extra: Headers = []
        content = JSON
        with self.metrics.in_flight():
            try:
                self._guard.check(asked.path, asked.header(b"authorization"))
                self._check(asked, extra)
                if asked.path in PROTOCOLS:
                    status, body = HTTPStatus.OK, await self._predict(asked, receive)
                else:
                    status, body, content = self._routes[asked.path]()
                    extra.extend(self._headers.get(asked.path, ()))
            except Gone:
                self.metrics.hung_up()
                return
            except Refused as refused:
                status, body = refused.status, encode({"error": str(refused), "request": asked.id})
                extra.extend(refused.headers)
                fields = {"request": asked.id, "status": status.value, "error": str(refused)}
                if not refused.quiet:
                    log.info("refused", extra={"fields": fields})
            except Exception as error:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                what = f"the server failed ({type(error).__name__}); see its log"
                body = encode({"error": what, "request": asked.id})
                log.exception("failed", extra={"fields": {"request": asked.id, "path": asked.path}})
            route = asked.path if asked.path in self._routes or asked.path in PROTOCOLS else "other"
            self.metrics.answered(route, status.value)
            await self._answer(send, status, body, content, asked.id, extra)

    def _check(self, asked: Request, extra: Headers) -> None:
        """Refuse a path that is not there, and a method that it does not answer. Raises Refused."""
        if asked.path in PROTOCOLS:
            methods: tuple[str, ...] = ("POST",)
        elif asked.path in self._routes:
            methods = ("GET", "HEAD")
        else:
            known = ", ".join([*PROTOCOLS, *self._routes])
            raise Refused(HTTPStatus.NOT_FOUND, f"no such path; there are {known}")
        if asked.method not in methods:
            extra.append((b"allow", ", ".join(methods).encode()))
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{asked.path} answers {methods[0]}, not {asked.method:.20}")

    async def _predict(self, asked: Request, receive: Receive) -> bytes:
        protocol = PROTOCOLS[asked.path]
        kind = wire.content(asked.header(b"content-type"), asked.header(b"content-encoding"), protocol.types)
        with self._limits.accepted():
            body = await request.body(receive, self.settings.max_bytes)
            await asyncio.sleep(0)  # those that came at the same time take their places before one is scored
            answer, made = await self._limits.run(
                len(body),
                lambda: scoring.predict(self._bundle, self._release, protocol, asked.id, kind, body, self._bounds),
            )
        self.metrics.predicted(made)
        return answer

    def _ready(self) -> tuple[HTTPStatus, bytes, str]:
        if self._draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, b'{"status":"draining"}', JSON
        return HTTPStatus.OK, b'{"status":"ready"}', JSON

    async def _answer(
        self, send: Send, status: HTTPStatus, body: bytes, content: str, request_id: str, extra: Headers
    ) -> None:
        headers: Headers = [
            (b"content-type", content.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            *extra,
        ]
        if self._draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})
