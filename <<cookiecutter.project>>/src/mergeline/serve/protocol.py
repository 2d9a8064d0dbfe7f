"""uvicorn's HTTP/1.1 over httptools, with an end to connections that send slowly, endlessly or in too great a number.

An answer can be given as a whole: by ASGI's two messages it would be checked, joined and written twice.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from .request import DROPPED_BYTES
from .settings import Settings

AT_ONCE = "mergeline.at_once"
"""The extension of an ASGI scope whose `answer`, given the status, the headers and the body, is to be awaited."""
CLOSE = (b"connection", b"close")

HEAD_BYTES = 65_536
# A body's framing, and the trailers behind it, come on top of what the application reads and drops.
MESSAGE_BYTES = DROPPED_BYTES + 16 * 2**20

Stage: TypeAlias = Literal["idle", "head", "body"]


class Protocol(HttpToolsProtocol):
    """One connection. A request that arrives in one piece, as nearly all do, starts no timer."""

    def __init__(self, *given: Any, settings: Settings, refused: Callable[[HTTPStatus], None], **named: Any) -> None:
        super().__init__(*given, **named)
        self._settings = settings
        self._refused = refused
        self._stage: Stage = "idle"
        self._message = 0
        self._bytes = 0
        self._timed: tuple[int, Stage] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there are too many; a silent one goes as one that is kept does."""
        super().connection_made(transport)
        if len(self.connections) > self._settings.max_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, b"retry-after: 1\r\n")
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, also those that uvicorn leaves when a connection breaks."""
        self._stop()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read; what is not complete after it has a limit of time and of bytes."""
        if self.transport.is_closing():
            return
        self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._stage == "idle":
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop()
                return
            self._stage = "head"  # line ends before a request, which the parser skips
        if self._bytes > (HEAD_BYTES if self._stage == "head" else MESSAGE_BYTES):
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                if self._stage == "head"
                else HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            )
        elif self._timed != (self._message, self._stage):
            self._stop()
            self._timed = (self._message, self._stage)
            seconds = self._settings.head_seconds if self._stage == "head" else self._settings.body_seconds
            self._timer = self.loop.call_later(seconds, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        if self._stage == "idle":
            self._message += 1
        self._stage = "head"

    def on_headers_complete(self) -> None:
        """Begin a body."""
        self._stage = "body"
        super().on_headers_complete()
        self.scope["extensions"] = {AT_ONCE: {"answer": functools.partial(_answer, self.cycle)}}

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._stage = "idle"
        self._bytes = 0
        super().on_message_complete()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timed = None

    def _refuse(self, status: HTTPStatus, header: bytes = b"") -> None:
        """Say why, unless an answer to an earlier request is on its way on this connection, and close it."""
        if self.transport.is_closing():
            return
        self._refused(status)
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        waiting = self._stage == "head" and self.cycle is not None and not self.cycle.response_complete
        answered = self._stage == "body" and self.cycle.response_complete
        if not (answering or waiting or answered or self.pipeline):
            body = b'{"error":"%s"}' % status.phrase.encode()
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s"
                % (status.value, status.phrase.encode(), len(body), header, body)
            )
        self.transport.close()


async def _answer(
    cycle: RequestResponseCycle, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    """Answer a request with one write; `headers` are checked, with the body's length among them."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    cycle.keep_alive = cycle.keep_alive and CLOSE not in headers
    ends = () if cycle.keep_alive or CLOSE in headers else (CLOSE,)
    lines = [b"%s: %s\r\n" % header for header in (*cycle.default_headers, *headers, *ends)]
    whole = [STATUS_LINE[status], *lines, b"\r\n"]
    if cycle.scope["method"] != "HEAD":
        whole.append(body)
    cycle.response_started, cycle.waiting_for_100_continue = True, False
    cycle.transport.write(b"".join(whole))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
