"""Who may ask: bearer tokens, of which a server knows only the hashes; wrong ones cannot be tried at will."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

from .wire import Refused

FAILURES = 20
"""Wrong tokens in a row before they are throttled, and how many are allowed a minute from then on."""


class Gate:
    """Lets requests in that carry a token whose sha256 is one of `hashes`; without hashes it lets all in."""

    def __init__(self, hashes: frozenset[bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._hashes = tuple(hashes)
        self._clock = clock
        self._allowed = float(FAILURES)
        self._since = clock()

    def check(self, authorization: str) -> None:
        """Refuse a request by its header. A right token is let in however many wrong ones were tried.

        Raises:
            Refused: 401; or 429, for a wrong one after too many.
        """
        if not self._hashes or self._right(authorization):
            return
        now = self._clock()
        self._allowed = min(FAILURES, self._allowed + (now - self._since) * FAILURES / 60)
        self._since = now
        if self._allowed < 1:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens: wait a minute", {"retry-after": "60"})
        self._allowed -= 1
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "send a token that this service knows, as the header authorization: Bearer TOKEN",
            {"www-authenticate": "Bearer"},
        )

    def _right(self, authorization: str) -> bool:
        kind, _, token = authorization.partition(" ")
        given = hashlib.sha256(token.strip().encode("latin-1", "replace")).digest()
        # Every hash is compared, in constant time: how long it takes tells nothing of which one was near.
        found = [hmac.compare_digest(given, known) for known in self._hashes]
        return kind.lower() == "bearer" and any(found)


def new() -> tuple[str, str]:
    """Give a new token of 256 random bits, and its sha256 in hex."""
    token = secrets.token_urlsafe(32)
    return token, hashlib.sha256(token.encode()).hexdigest()
