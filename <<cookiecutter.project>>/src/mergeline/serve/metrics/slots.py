"""Where workers keep their numbers: each in a file of its own that it maps, so any of them can add up all.

    PID-START-N.slots  a living worker's N-th: the length of the header, the header (JSON: its series), float64 numbers
    gone.json          the counts of workers that ended, and which files they came from
    lock               held while files are read together or folded

A file whose process is dead is folded into gone.json and removed, so a counter never goes back.
"""

import contextlib
import fcntl
import itertools
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from .layout import Series

WORD = 8
LOCK, LEFT = "lock", "gone.json"
TURNS = itertools.count()
GAUGES = frozenset({"mergeline_requests_in_flight", "mergeline_ready", "mergeline_serving"})


class Counted(msgspec.Struct, frozen=True):
    """A series with its numbers, shape (series.size,)."""

    series: Series
    values: list[float]


class Left(msgspec.Struct):
    """gone.json; `folded` names the files that are in it already, should one not have been removed."""

    counts: list[Counted] = []
    folded: list[str] = []


def plain(size: int) -> "memoryview[float]":
    """Give `size` float64 zeros in memory of this process alone."""
    return memoryview(bytearray(size * WORD)).cast("d")


def mapped(folder: Path, series: Sequence[Series], size: int) -> "memoryview[float]":
    """Give `size` float64 zeros that are this process's file in `folder`. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    header = msgspec.json.encode(series)
    header += b" " * (-len(header) % WORD)
    pid = os.getpid()
    path = folder / f"{pid}-{_started(pid)}-{next(TURNS)}.slots"
    hidden = path.with_suffix(".new")
    hidden.write_bytes(len(header).to_bytes(WORD, "little") + header + bytes(size * WORD))
    with hidden.open("r+b") as file:
        numbers = memoryview(mmap.mmap(file.fileno(), 0))[WORD + len(header) :].cast("d")
    hidden.rename(path)
    return numbers


def everything(folder: Path) -> tuple[list[int], list[Counted]]:
    """Give the living workers' pids, and what they and all before them counted, a series once per worker."""
    with _locked(folder):
        left = _left(folder)
        living: set[int] = set()
        counted: list[Counted] = []
        dead: list[Path] = []
        for path in sorted(folder.glob("*.slots")):
            pid, start, _ = path.stem.split("-")
            if path.name in left.folded:
                path.unlink()
            elif _started(int(pid)) == start:
                living.add(int(pid))
                counted += _read(path)
            else:
                dead.append(path)
        if dead:
            ended = [c for path in dead for c in _read(path) if c.series.name not in GAUGES and any(c.values)]
            left = Left(added([*left.counts, *ended]), [path.name for path in dead])
            hidden = folder / f"{LEFT}.new"
            hidden.write_bytes(msgspec.json.encode(left))
            hidden.replace(folder / LEFT)
            for path in dead:
                path.unlink()
    return sorted(living), [*left.counts, *counted]


def added(counted: Sequence[Counted]) -> list[Counted]:
    """Add up what is the same series."""
    sums: dict[tuple[object, ...], tuple[Series, NDArray[np.float64]]] = {}
    for one in counted:
        key = (one.series.name, *sorted(one.series.labels.items()), *(one.series.edges or ()))
        values = np.asarray(one.values)
        sums[key] = (one.series, sums[key][1] + values if key in sums else values)
    return [Counted(series, values.tolist()) for series, values in sums.values()]


def cut(series: Sequence[Series], numbers: "Sequence[float] | memoryview[float]") -> list[Counted]:
    """Give each series its numbers."""
    values = np.asarray(numbers, dtype=np.float64).tolist()
    return [Counted(one, values[one.at : one.at + one.size]) for one in series]


def _read(path: Path) -> list[Counted]:
    content = path.read_bytes()
    start = WORD + int.from_bytes(content[:WORD], "little")
    series = msgspec.json.decode(content[WORD:start], type=list[Series])
    return cut(series, memoryview(content)[start:].cast("d"))


def _left(folder: Path) -> Left:
    try:
        return msgspec.json.decode((folder / LEFT).read_bytes(), type=Left)
    except FileNotFoundError:
        return Left()


def _started(pid: int) -> str:
    """Give when a process started, in clock ticks, so that a pid used again is told apart; empty when it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self").exists():
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return "0"
        return ""
    return "" if fields[0] in "ZX" else fields[19]


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
