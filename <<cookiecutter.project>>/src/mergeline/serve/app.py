"""The scoring server as a plain ASGI application over one bundle: no framework, so one row costs little."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from ..bundle import Bundle
from . import request, wire
from .experiment.arms import Arms
from .request import Gone, Receive, Request, Scope
from .scoring import PROTOCOLS, encode
from .telemetry import CONTENT_TYPE, Metrics
from .wire import JSON, Refused

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

log = logging.getLogger("mergeline.serve")


class Application:
    """Answers requests with one bundle until it is told to drain."""

    def __init__(self, bundle: Bundle, release: str | None = None) -> None:
        self.metrics = Metrics()
        self.metrics.ready.set(1)
        self._answer_by(Arms(bundle, release))
        self._draining = False
        self._routes: dict[str, Callable[[], tuple[HTTPStatus, bytes, str]]] = {
            "/health": lambda: (HTTPStatus.OK, b'{"status":"alive"}', JSON),
            "/ready": self._ready,
            "/version": lambda: (HTTPStatus.OK, encode(self._version), JSON),
            "/metrics": lambda: (HTTPStatus.OK, self.metrics.text(self._arms.counts()), CONTENT_TYPE),
            "/schema": lambda: (HTTPStatus.OK, self._schema, JSON),
            "/ping": self._ready,
        }

    @property
    def bundle(self) -> Bundle:
        """Give the pinned release's."""
        return self._arms.bundle

    def use(self, arms: Arms) -> None:
        """From the next request on answer by these; from any thread."""
        before = self._arms
        self._answer_by(arms)
        before.close()

    def close(self) -> None:
        """Finish what goes on beside the answers; after the last one."""
        self._arms.close()

    def _answer_by(self, arms: Arms) -> None:
        name = arms.bundle.signature.name
        self._schema = encode(arms.bundle.signature)
        self._version = {"release": arms.release, "bundle": arms.bundle.id, "model": name}
        self.metrics.serves(model=name, bundle=arms.bundle.id, release=arms.release)
        self._arms = arms

    def drain(self) -> None:
        """From now on close each connection with its answer, and report not ready."""
        self._draining = True
        self.metrics.ready.set(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = request.of(scope)
        extra: Headers = []
        content = JSON
        with self.metrics.in_flight.track_inprogress():
            try:
                self._check(asked, extra)
                if asked.path in PROTOCOLS:
                    status, body = HTTPStatus.OK, await self._predict(asked, receive)
                else:
                    status, body, content = self._routes[asked.path]()
            except Gone:
                return
            except Refused as refused:
                status, body = refused.status, encode({"error": str(refused), "request": asked.id})
                fields = {"request": asked.id, "status": status.value, "error": str(refused)}
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
        body = await request.body(receive)
        answer, made = self._arms.predict(asked, protocol, kind, body)
        self.metrics.predicted(made.seconds, len(made.scores), made.labels)
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
