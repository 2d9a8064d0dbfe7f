"""What is read of a request before its body means anything: its headers, its id, its bytes."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias

from .wire import MAX_BYTES, Refused

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

# What is sent beyond the limit is read and dropped up to here, so that the sender gets to see the refusal.
DROPPED_BYTES = 64 * 2**20


class Gone(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(slots=True)
class Request:
    """One request; `id` is the caller's where it is short and harmless in a log and a header, else made."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    id: str = field(init=False)

    def __post_init__(self) -> None:
        given = self.header(b"x-request-id")
        self.id = given if 0 < len(given) <= 128 and given.isascii() and given.isprintable() else os.urandom(16).hex()

    def header(self, name: bytes) -> str:
        """Give a header's text by its lower-case name; empty where it is absent."""
        return self.headers.get(name, b"").decode("latin-1")


def of(scope: Scope) -> Request:
    """Give the request of an ASGI scope."""
    return Request(scope["method"], scope["path"], dict(scope["headers"]))


async def body(receive: Receive, most: int = MAX_BYTES) -> bytes:
    """Read the whole body. Raises Refused (413) beyond `most` bytes, and Gone."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False) or size > max(most, DROPPED_BYTES):
            break
    if size > most:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {most} bytes: send several requests"
        )
    return b"".join(chunks)
