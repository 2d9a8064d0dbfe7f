"""Asks the server's application without a network."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mergeline.serve.app import Application
from mergeline.serve.wire import JSON


async def ask(
    app: Application,
    path: str,
    body: bytes | None = None,
    token: str | None = None,
    kind: str = JSON,
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]] | None = None,
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send one request; POST when there is a body."""
    sent: list[MutableMapping[str, Any]] = []

    async def whole() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", kind.encode())]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    method = "GET" if body is None else "POST"
    await app({"path": path, "method": method, "headers": headers}, receive or whole, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]
