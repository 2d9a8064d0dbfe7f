"""The scoring server as a plain ASGI application over one bundle: no framework, so one row costs little."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from ..bundle import Bundle
from . import docs, metrics, openapi, request, wire
from .experiment.arms import Arms
from .journal import Journal
from .limits import INLINE_BYTES, Limits
from .metrics import CONTENT_TYPE, Metrics
from .protocol import AT_ONCE, CLOSE
from .request import Gone, Receive, Request, Scope
from .scoring import PROTOCOLS, Prediction, encode
from .settings import DEFAULTS, PAGES, Settings
from .tokens import Guard
from .wire import JSON, Bounds, Refused

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

HTML = "text/html; charset=utf-8"

log = logging.getLogger("mergeline.serve")


class Application:
    """Answers requests with one bundle until it is told to drain."""

    def __init__(self, arms: Arms, settings: Settings = DEFAULTS, journal: Journal | None = None) -> None:
        self.settings = settings
        self._journal = journal
        self._guard = Guard(settings.token_hashes)
        self._limits = Limits(settings.max_requests)
        self._bounds = Bounds(settings.max_rows, settings.max_columns)
        self._draining = False
        self._routes: dict[str, Callable[[], tuple[HTTPStatus, bytes, str]]] = {
            "/health": lambda: (HTTPStatus.OK, b'{"status":"alive"}', JSON),
            "/ready": self._ready,
            "/version": lambda: (HTTPStatus.OK, encode(self._version), JSON),
            "/metrics": lambda: (HTTPStatus.OK, self._told(), CONTENT_TYPE),
            "/schema": lambda: (HTTPStatus.OK, self._schema, JSON),
            "/ping": self._ready,
            "/openapi.json": lambda: (HTTPStatus.OK, self._document, JSON),
            "/docs": lambda: (HTTPStatus.OK, self._docs.body, HTML),
        }
        for path in [path for name in settings.closed for path in PAGES[name]]:
            del self._routes[path]
        self._paths = [*PROTOCOLS, *self._routes]
        self._theirs: Metrics | None = None
        self.metrics = self._counting(arms.bundle, arms.release, "pinned")
        self._answer_by(arms)
        if journal is not None:
            journal.start(lambda reason, rows: self.metrics.logged(reason, rows))

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
        if self._journal is not None:
            self._journal.close()

    def refused(self, status: HTTPStatus) -> None:
        """Count what a connection was refused before there was a request to answer."""
        self.metrics.answered("other", status)

    def _counting(self, bundle: Bundle, release: str | None, arm: str) -> Metrics:
        folder = Path(self.settings.metrics) if self.settings.metrics else None
        return Metrics(bundle, release, self._paths, arm=arm, folder=folder)

    def _answer_by(self, arms: Arms) -> None:
        pinned, beside = arms.bundle, arms.beside
        # Rare texts of training rows are nobody's to read.
        self._schema = encode(msgspec.structs.replace(pinned.signature, known=msgspec.UNSET))
        document = openapi.document(pinned, arms.release, self.settings, list(self._routes))
        self._document, self._docs = encode(document), docs.page(pinned, arms.release, document)
        self._headers = {"/docs": self._docs.headers}
        self._version = {"release": arms.release, "bundle": pinned.id, "model": pinned.signature.name}
        if not self.metrics.counts(pinned, arms.release):
            self.metrics.retire()
            self.metrics = self._counting(pinned, arms.release, "pinned")
        if beside is None:
            self._theirs = None
        elif self._theirs is None or not self._theirs.counts(beside.bundle, beside.release):
            self._theirs = self._counting(beside.bundle, beside.release, beside.experiment.kind)
        self.metrics.ready(welcome=not self._draining)
        self._arms = arms

    def drain(self) -> None:
        """From now on close each connection with its answer, and report not ready."""
        self._draining = True
        self.metrics.ready(welcome=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = request.of(scope)
        extra: Headers = []
        content = JSON
        with self.metrics:
            try:
                self._guard.check(asked.path, asked.header(b"authorization"))
                self._check(asked)
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
                if not refused.quiet:
                    # The sentence may quote a value, and some columns' values must not touch the disk.
                    why = status.phrase if self.bundle.signature.masking else str(refused)
                    fields = {"request": asked.id, "status": status.value, "error": why}
                    log.info("refused", extra={"fields": fields})
            except Exception as error:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                what = f"the server failed ({type(error).__name__}); see its log"
                body = encode({"error": what, "request": asked.id})
                log.exception("failed", extra={"fields": {"request": asked.id, "path": asked.path}})
            route = asked.path if asked.path in self._routes or asked.path in PROTOCOLS else "other"
            self.metrics.answered(route, status.value)
            await self._answer(scope, send, status, body, content, asked.id, extra)

    def _check(self, asked: Request) -> None:
        """Refuse a path that is not there, and a method that it does not answer. Raises Refused."""
        if asked.path in PROTOCOLS:
            methods: tuple[str, ...] = ("POST",)
        elif asked.path in self._routes:
            methods = ("GET", "HEAD")
        else:
            known = ", ".join([*PROTOCOLS, *self._routes])
            raise Refused(HTTPStatus.NOT_FOUND, f"no such path; there are {known}")
        if asked.method not in methods:
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{asked.path} answers {methods[0]}, not {asked.method:.20}",
                [(b"allow", ", ".join(methods).encode())],
            )

    async def _predict(self, asked: Request, receive: Receive) -> bytes:
        protocol = PROTOCOLS[asked.path]
        kind = wire.content(asked.header(b"content-type"), asked.header(b"content-encoding"), protocol.types)
        with self._limits:
            body = await request.body(receive, self.settings.max_bytes)
            arms = self._arms
            if len(body) > INLINE_BYTES:
                answer, made = await self._limits.apart(lambda: arms.predict(asked, protocol, kind, body, self._bounds))
            else:
                answer, made = await arms.predict_together(asked, protocol, kind, body, self._bounds)
        self._count(made)
        if self._journal is not None:
            self._journal.predicted(made, arms, len(body))
        return answer

    def _count(self, made: Prediction) -> None:
        """Count a request's predictions by the release that gave each."""
        theirs = self._theirs
        if made.assigned is None or theirs is None or not made.assigned.any():
            self.metrics.predicted(made)
        elif made.assigned.all():
            theirs.predicted(made)
        else:
            self.metrics.predicted(made.rows(~made.assigned))
            theirs.predicted(made.rows(made.assigned))

    def _told(self) -> bytes:
        parts = [self.metrics, *([self._theirs] if self._theirs else [])]
        return metrics.text(parts, self._arms.counts())

    def _ready(self) -> tuple[HTTPStatus, bytes, str]:
        if self._draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, b'{"status":"draining"}', JSON
        return HTTPStatus.OK, b'{"status":"ready"}', JSON

    async def _answer(
        self, scope: Scope, send: Send, status: HTTPStatus, body: bytes, content: str, request_id: str, extra: Headers
    ) -> None:
        headers: Headers = [
            (b"content-type", content.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            *extra,
        ]
        if self._draining:
            headers.append(CLOSE)
        if at_once := scope.get("extensions", {}).get(AT_ONCE):
            await at_once["answer"](status.value, headers, body)
            return
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})
