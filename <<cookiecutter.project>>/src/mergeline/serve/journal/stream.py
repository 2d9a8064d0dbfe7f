"""The prediction log on standard output, where the platform of a container collects it; the server's own log is on stderr."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LARGEST = 2**20
"""Bytes of a line, at most: collectors cut, or drop, what is far longer."""


class Stream:
    """Writes whole lines to a file that other workers write to as well, or raises.

    Attributes:
        largest: bytes of a line, at most.
    """

    largest = LARGEST

    def __init__(self, file: int | None = None) -> None:
        self._file = sys.stdout.fileno() if file is None else file
        self._torn = False

    def append(self, lines: bytes | bytearray) -> None:
        """Write lines, all of them behind one another. Raises OSError; then the last that was begun stays unfinished."""
        with self._alone():
            left = memoryview(b"\n" + lines if self._torn else lines)
            self._torn = False
            try:
                while left:
                    left = left[os.write(self._file, left) :]
            except OSError:
                self._torn = True
                raise

    def close(self) -> None:
        """Leave it open: it is not the journal's."""

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock: a pipe takes more than 4 KiB in parts, between which another worker could write (pipe(7))."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
