"""The folder of the prediction log: lines are appended to this process's file, and old files make room.

Servers that share a folder write a file each and hold its lock; a file that nobody holds is finished and may go. So
whatever happens to a server, nothing but the number of bytes decides how long its lines are kept.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from ... import events

FILE_BYTES = 64 * 2**20
"""Of a file, at most; or an eighth of what the folder may hold, where that is less."""
LOOK_SECONDS = 1.0
"""How often the folder is measured: other servers write there too."""


class Folder:
    """Appends whole lines, or raises; `limit` bounds the bytes of all of the folder's log files.

    Attributes:
        largest: bytes of a file, at most.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._folder, self._limit = path, limit
        self.largest = min(FILE_BYTES, limit // 8)
        self._file, self._path, self._size = -1, path, 0
        self._looked = -LOOK_SECONDS

    def append(self, lines: bytes | bytearray) -> None:
        """Append lines, `largest` bytes at most, all or none of them. Raises OSError; the next call begins a new file."""
        if self._size + len(lines) > self.largest:
            self.close()
        if self._file < 0:
            self._open()
        try:
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._make_room()
            left = memoryview(lines)
            while left:
                left = left[os.write(self._file, left) :]
            if not os.fstat(self._file).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "was removed while it was written", str(self._path))
        except OSError:
            self._take_back()
            raise
        self._size += len(lines)

    def close(self) -> None:
        """Finish this process's file; the next line begins another one."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        # A container's processes all have the same few pids, and may share a folder.
        self._path = self._folder / f"predictions-{moment}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._size, self._looked = 0, -LOOK_SECONDS
        with contextlib.suppress(OSError):  # a file system without locks: its files go by age alone
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _take_back(self) -> None:
        """Cut off what was written of lines that were not written whole."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._size)
        if not self._size:
            with contextlib.suppress(OSError):
                self._path.unlink()
        with contextlib.suppress(OSError):
            self.close()
        self._file = -1

    def _make_room(self) -> None:
        """Remove the oldest finished files, so that this one may grow to its full size. Raises OSError."""
        sizes: dict[Path, int] = {}
        for path in events.files(self._folder):
            with contextlib.suppress(FileNotFoundError):  # another server made room
                sizes[path] = path.stat().st_size
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total <= self._limit - self.largest:
                break
            if path != self._path and events.finished(path):
                path.unlink(missing_ok=True)
                total -= size
        if total > self._limit:
            raise OSError(
                errno.ENOSPC, f"more than {self._limit} bytes in files that are still written", str(self._folder)
            )
        self._looked = time.monotonic()
