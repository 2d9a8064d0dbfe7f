"""Drops the experiment's release in this process when its answers leave the limits; nothing here raises a share."""

import logging
import math
from collections import deque
from collections.abc import Mapping

from ...errors import BadSettings
from ...experiments import LIMITS

WINDOW = 500
"""Requests that are looked back on."""
LEAST = 50
"""Requests before anything is decided."""
SLOW = 0.05
"""The share of requests that may take longer than `latency_ms`: the limit is on the 95th percentile."""

log = logging.getLogger("mergeline.serve")


class Breaker:
    """Looks at the last `WINDOW` requests that the experiment's release answered some row of.

    Attributes:
        tripped: why it was dropped, in words; None while it serves.
    """

    def __init__(self, release: str, limits: Mapping[str, float]) -> None:
        """Raises BadSettings for a limit that nobody knows: one that is not looked at protects nobody."""
        if unknown := sorted(set(limits) - set(LIMITS)):
            raise BadSettings(f"the experiment's limits name {', '.join(unknown)}", f"Limits are {', '.join(LIMITS)}.")
        self.tripped: str | None = None
        self._release = release
        self._limits = dict(limits)
        self._slowest = limits.get("latency_ms", math.inf)
        self._last: deque[tuple[bool, bool, float, int]] = deque()
        self._failed, self._slow, self._score, self._rows = 0, 0, 0.0, 0

    def answered(self, milliseconds: float, score: float, rows: int) -> None:
        """Note a request that it answered `rows` rows of; `score` is their sum (see `Bundle.score`)."""
        self._note((False, milliseconds > self._slowest, score, rows))

    def failed(self) -> None:
        """Note a request that it raised on, or had no finite answer for."""
        self._note((True, False, 0.0, 0))

    def _note(self, seen: tuple[bool, bool, float, int]) -> None:
        self._count(seen, 1)
        self._last.append(seen)
        if len(self._last) > WINDOW:
            self._count(self._last.popleft(), -1)
        if self.tripped is None and len(self._last) >= LEAST and (reason := self._broken()):
            self.tripped = reason
            log.error("experiment dropped", extra={"fields": {"release": self._release, "reason": reason}})

    def _count(self, seen: tuple[bool, bool, float, int], sign: int) -> None:
        failed, slow, score, rows = seen
        self._failed += sign * failed
        self._slow += sign * slow
        self._score += sign * score
        self._rows += sign * rows

    def _broken(self) -> str | None:
        """Say which limit does not hold."""
        requests = len(self._last)
        if (share := self._failed / requests) > self._limits.get("errors", 1.0):
            return f"it failed on {share:.1%} of {requests} requests, the limit is {self._limits['errors']:.1%}"
        if (share := self._slow / requests) > SLOW:
            return f"it took over {self._slowest:g} ms on {share:.1%} of {requests} requests, the limit is {SLOW:.0%}"
        if not self._rows:
            return None
        mean = self._score / self._rows
        low, high = self._limits.get("score_min", -math.inf), self._limits.get("score_max", math.inf)
        if not low <= mean <= high:
            return f"its mean score is {mean:.4g} over {self._rows} rows, the limits are {low:g} to {high:g}"
        return None
