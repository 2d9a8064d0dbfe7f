"""The prediction log: what was answered is queued by who answers, and written by a thread that nobody waits for.

What the queue or the disk cannot take is dropped and counted; an answer is never later for it, and never fails.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ... import events
from ..experiment.arms import Arms
from ..experiment.shadow import Shadowed
from ..scoring import Prediction
from ..settings import Settings
from .folder import Folder
from .lines import Lines
from .stream import Stream

GATHER_SECONDS = 0.1
RETRY_SECONDS = 1.0
"""How long nothing is tried after the disk refused."""
TELL_SECONDS = 60.0
CLOSE_SECONDS = 5.0
QUEUE_BYTES = 32 * 2**20
WRITE_ROWS, WRITE_BYTES = 16, 65_536
"""Of one write, about. The interpreter is another thread's while the system writes: so answers wait little for it."""

Count: TypeAlias = Callable[[str | None, int], None]

log = logging.getLogger("mergeline.serve")


class _Waiting(NamedTuple):
    moment: float
    made: Prediction | Shadowed
    arms: Arms | None
    rows: int
    weight: int


class Journal:
    """One queue and its thread.

    Attributes:
        written: rows that are in the log.
        dropped: rows that are not, by reason: too many waited (`queue`), the disk or whoever reads standard output did
            not take them (`disk`), or they cannot be written (`failed`).
    """

    def __init__(self, to: Folder | Stream, key: str = "") -> None:
        self.written, self.dropped = 0, Counter[str]()
        self._to, self._make = to, Lines(key)
        self._waiting: deque[_Waiting] = deque()
        self._bytes, self._lost = 0, 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._count: Count = lambda _reason, _rows: None
        self._lines, self._rows = bytearray(), 0
        self._paused, self._told, self._untold = 0.0, float("-inf"), 0

    def start(self, count: Count) -> None:
        """Begin to write; `count` gets how many rows were written (reason None) or dropped, always from one thread."""
        self._count = count
        self._thread.start()

    def predicted(self, made: Prediction, arms: Arms, size: int) -> None:
        """Queue what these arms answered to a body of `size` bytes, or drop it."""
        rows = len(made.scores)
        # The texts were in the body; an array has a head of some 150 bytes, and 8 a value.
        self._put(_Waiting(time.time(), made, arms, rows, size + len(made.raw) * (150 + 8 * rows)))

    def shadowed(self, made: Shadowed) -> None:
        """Queue what a shadow said, or drop it."""
        self._put(_Waiting(time.time(), made, None, len(made.shadow), 300 + made.shadow.nbytes))

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what is queued, for so long at most, and end."""
        self._stop.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            log.warning("the prediction log was not written out", extra={"fields": {"requests": len(self._waiting)}})

    def _put(self, one: _Waiting) -> None:
        with self._lock:
            if self._bytes + one.weight <= QUEUE_BYTES:
                self._bytes += one.weight
                self._waiting.append(one)
            else:
                self._lost += one.rows

    def _next(self) -> _Waiting | None:
        with self._lock:
            if not self._waiting:
                return None
            one = self._waiting.popleft()
            self._bytes -= one.weight
            return one

    def _run(self) -> None:
        while not self._stop.wait(GATHER_SECONDS):
            self._work()
        self._work()
        self._to.close()

    def _work(self) -> None:
        while (one := self._next()) is not None:
            if time.monotonic() < self._paused:
                self._drop("disk", one.rows)
            else:
                self._add(one)
        self._write()
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            self._drop("queue", lost)

    def _add(self, one: _Waiting) -> None:
        left = one.rows
        try:
            for line, rows in self._lines_of(one):
                if len(line) > self._to.largest:
                    raise ValueError("a line is larger than a file of the log")
                if len(self._lines) + len(line) > self._to.largest:
                    self._write()
                self._lines += line
                self._rows += rows
                left -= rows
                if self._rows >= WRITE_ROWS or len(self._lines) >= WRITE_BYTES:
                    self._write()
        except Exception as error:  # whatever it is, the requests behind it are written
            self._drop("failed", left, error)

    def _lines_of(self, one: _Waiting) -> Iterator[tuple[bytes, int]]:
        if isinstance(one.made, Shadowed):
            return self._make.of_shadow(one.made, one.moment)
        assert one.arms is not None  # noqa: S101 - see `predicted`
        return self._make.of(one.made, one.arms, one.moment)

    def _write(self) -> None:
        lines, rows = self._lines, self._rows
        if not rows:
            return
        self._lines, self._rows = bytearray(), 0
        if time.monotonic() < self._paused:
            self._drop("disk", rows)
            return
        try:
            self._to.append(lines)
        except OSError as error:
            self._paused = time.monotonic() + RETRY_SECONDS
            self._drop("disk", rows, error)
            return
        self.written += rows
        self._count(None, rows)
        if self._paused:
            self._paused = 0.0
            log.info("the prediction log is written again")

    def _drop(self, reason: str, rows: int, error: Exception | None = None) -> None:
        self.dropped[reason] += rows
        self._count(reason, rows)
        self._untold += rows
        if time.monotonic() - self._told >= TELL_SECONDS:
            fields = {"reason": reason, "rows": self._untold, "error": str(error or "the log cannot keep up")}
            log.warning("the prediction log drops rows", extra={"fields": fields})
            self._told, self._untold = time.monotonic(), 0


def wanted(settings: Settings) -> Journal | None:
    """Give the journal that the environment asks for, None where it asks for none."""
    if not settings.prediction_log:
        return None
    path = settings.prediction_log
    return Journal(
        Stream() if path == events.STREAM else Folder(Path(path), settings.prediction_log_bytes), settings.log_key
    )
