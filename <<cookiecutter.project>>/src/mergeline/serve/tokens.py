"""Who may ask: bearer tokens, of which the server knows the sha256 alone, and the verb that makes one."""

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

import msgspec

from ..errors import BadSettings
from .settings import Settings
from .wire import Refused

OPEN_PATHS = frozenset({"/health", "/ready", "/ping", "/version"})
"""What a load balancer and a deployment ask, without a token."""
FAILURES = 20
"""Wrong tokens in a row that get a 401; after them one a second."""
LONGEST = 1_024


class New(msgspec.Struct, frozen=True):
    """A new token, shown once, and what the server is given of it."""

    token: str
    sha256: str


def new() -> New:
    """Make a token of 256 random bits."""
    token = secrets.token_urlsafe(32)
    return New(token, hashlib.sha256(token.encode()).hexdigest())


class Guard:
    """Lets right tokens in. Wrong ones get a 401, many of them a 429 that is not logged one by one."""

    def __init__(self, hashes: Sequence[bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._hashes = tuple(hashes)
        self._clock = clock
        self._left = float(FAILURES)
        self._at = clock()

    def check(self, path: str, authorization: str) -> None:
        """Let a request pass, or not. Raises Refused (401, 429) with the headers that belong to it."""
        if not self._hashes or path in OPEN_PATHS or self._right(authorization):
            return
        now = self._clock()
        self._left = min(FAILURES, self._left + now - self._at)
        self._at = now
        if self._left < 1:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens: wait a second", [(b"retry-after", b"1")]
            )
        self._left -= 1
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "send the header Authorization: Bearer TOKEN with a token of this service",
            [(b"www-authenticate", b"Bearer")],
        )

    def _right(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(token) <= LONGEST:
            return False
        digest = hashlib.sha256(token.strip().encode("latin-1")).digest()
        right = False
        for known in self._hashes:  # all of them: the time does not tell which one was near
            right |= hmac.compare_digest(digest, known)
        return right


def demand(host: str, settings: Settings) -> None:
    """See that an address which other machines reach asks for a token. Raises BadSettings."""
    if settings.token_hashes or settings.open or _loopback(host):
        return
    raise BadSettings(
        f"other machines reach {host}, and no token is asked for",
        "Make one with `model token` and set MERGELINE_TOKEN_HASHES, or let anybody ask with --open (MERGELINE_OPEN=1).",
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
