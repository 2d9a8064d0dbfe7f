"""Scores what was answered a second time, by the experiment's release, when nobody waits for it.

Requests are gathered for a tenth of a second and scored as one batch by one thread: a batch costs little more than a
row, so the thread rarely holds up an answer. What comes while the queue is full is dropped, and counted.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ...bundle import Bundle
from ...columns import Raw, joined

GATHER_SECONDS = 0.1
MAX_ROWS = 10_000
"""Rows that may wait; one request alone may have as many."""
BATCH_ROWS = 32
"""Rows of one call: its part in Python, which no answer runs beside, stays below a millisecond."""

log = logging.getLogger("mergeline.serve")


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What both releases said to one request: scores of shape (n, classes), or (n, 1) for regression."""

    request: str
    release: str
    bundle: str
    pinned: NDArray[np.float64]
    shadow: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: str
    raw: Raw
    scores: NDArray[np.float64]


class Shadow:
    """One thread and its queue.

    Attributes:
        scored: rows that the experiment's release scored too.
        dropped: rows that it did not, because it could not keep up.
        errors: requests that it failed on.
        largest: the largest difference of two scores so far.
    """

    def __init__(self, bundle: Bundle, release: str, record: Callable[[Shadowed], None] = lambda _: None) -> None:
        self.scored, self.dropped, self.errors, self.largest = 0, 0, 0, 0.0
        self._bundle, self._release, self._record = bundle, release, record
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, request: str, raw: Raw, scores: NDArray[np.float64]) -> None:
        """Queue what was answered to a request, or drop it; never waits for the thread."""
        with self._lock:
            if self._rows + len(scores) > MAX_ROWS or self._stop.is_set():
                self.dropped += len(scores)
                return
            self._rows += len(scores)
            self._waiting.append(_Waiting(request, raw, scores))

    def close(self) -> None:
        """Score what is queued, and end the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(GATHER_SECONDS):
            self._work()
        self._work()

    def _work(self) -> None:
        with self._lock:
            waiting, self._waiting, self._rows = self._waiting, deque(), 0
        passed = 0

        def batch(one: _Waiting) -> int:
            nonlocal passed
            passed += len(one.scores)
            return (passed - len(one.scores)) // BATCH_ROWS

        for _, requests in groupby(waiting, batch):
            together = list(requests)
            if not self._score(together):
                for one in together:
                    if not self._score([one]):
                        self.errors += 1

    def _score(self, requests: list[_Waiting]) -> bool:
        """Score requests in one call, and record each; False when the bundle fails on any of them."""
        try:
            found = self._bundle.scores(joined([one.raw for one in requests]))
            if not np.isfinite(found).all():
                return False
        except Exception as error:  # the experiment's own code and model: nobody's answer depends on it
            log.debug("the shadow failed", exc_info=error)
            return False
        start = 0
        for one in requests:
            shadow = found[start : start + len(one.scores)]
            start += len(one.scores)
            self.scored += len(shadow)
            self.largest = max(self.largest, float(np.abs(shadow - one.scores).max()))
            try:
                self._record(Shadowed(one.request, self._release, self._bundle.id, one.scores, shadow))
            except Exception:
                log.exception("a difference was not recorded")
        return True
