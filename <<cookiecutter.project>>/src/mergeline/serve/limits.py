"""How much a worker takes on at once: requests that wait, and big ones apart from the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from .wire import Refused

INLINE_BYTES = 16_384
"""A body up to here, some 200 rows, is scored in the event loop: a thread would cost more than it."""

T = TypeVar("T")


class Limits:
    """Holds one of the places for a request while it is entered, and gives the big ones one thread in turn."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._accepted = 0
        self._thread = ThreadPoolExecutor(1, "big-requests")

    def __enter__(self) -> None:
        """Take a place, before the body is read. Raises Refused (503) at once when all are taken."""
        if self._accepted >= self._requests:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._requests} requests wait already: ask again in a second",
                [(b"retry-after", b"1")],
            )
        self._accepted += 1

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        self._accepted -= 1

    async def apart(self, work: Callable[[], T]) -> T:
        """Do the work of a big request in the thread for them, while others get a turn here."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
