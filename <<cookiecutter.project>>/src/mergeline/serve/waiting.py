"""How whoever keeps workers waits: for a signal or a pipe, before the next start, and for how long at most."""

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadSettings

READY, READY_SECONDS = "MERGELINE_READY_SECONDS", 60.0
DRAIN_SECONDS = 40.0  # longer than a worker's own: see worker.FINISH_SECONDS
PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 30.0


@dataclass
class Pause:
    """When the next worker may be started: later after each that ended, until one had run for a while."""

    failures: int = 0
    until: float = 0.0

    @property
    def over(self) -> bool:
        """Say whether one may be started now."""
        return time.monotonic() >= self.until

    def after(self, started: float) -> None:
        """Wait because the one that started then has ended."""
        now = time.monotonic()
        if now > started + STEADY_SECONDS:
            self.failures = 0
        self.until = now + PAUSES[min(self.failures, len(PAUSES) - 1)]
        self.failures += 1

    def longest(self) -> None:
        """Wait because none can be started."""
        self.until = time.monotonic() + PAUSES[-1]


class Bell:
    """Ends a wait when a signal comes; its signals need a handler, and it the main thread."""

    def __init__(self) -> None:
        self._ear, self._rope = socket.socketpair()

    def hang(self) -> None:
        """Let it ring from now on."""
        for end in (self._ear, self._rope):
            end.setblocking(False)
        signal.set_wakeup_fd(self._rope.fileno(), warn_on_full_buffer=False)

    def wait(self, others: Sequence[socket.socket | int], seconds: float) -> list[socket.socket | int]:
        """Wait for a signal, or until some of the others can be read, and give these."""
        found, _, _ = select.select([self._ear, *others], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)
        return [one for one in found if one is not self._ear]


def ready_seconds() -> float:
    """Give how long a new worker may take until it is ready: MERGELINE_READY_SECONDS, else a minute. Raises BadSettings."""
    said = os.environ.get(READY) or READY_SECONDS
    try:
        return float(said)
    except ValueError:
        raise BadSettings(f"{READY}: {said!r:.60} is no number", "Correct the variable and start again.") from None
