"""The prediction log as files: JSON lines of what servers answered, one a request, or some rows of a large one.

    {"schema":1,"time":"2026-11-29T10:15:00.250000Z","request":"order-66","release":"4f0c...","bundle":"843d...",
     "arm":"pinned","seconds":0.00021,
     "rows":[{"row":0,"scores":[0.83,0.17],"label":"no","features":{"carrier":"UA","distance":1400.0}}]}

A row is found by `request` and `row`: so labels are joined that come later, and what a shadow said to the same row.
"""

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from .errors import BadData

SCHEMA = 1
PATTERN = "predictions-*.jsonl"
"""A server's files by name: the moment of their first line comes first in it."""
STREAM = "-"
"""Instead of a path: standard output to the server, standard input to who reads."""
BEGINS = b'{"schema":'
"""Each line, and none of the server's own log, that a platform may have collected with it."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One predicted row.

    `row` is its place in the request, from 0. `scores` are the probabilities in the order of the signature's classes,
    or the one value of a regression, where `label` is absent. `features` are the raw columns after masking: a number,
    text or a time in ISO 8601, null where the value is missing; `key`, hashed, is what keeps its arm in an experiment.
    What a shadow said has neither features nor key: its request's other line has them.
    """

    row: int
    scores: list[float | None]
    label: str | None = None
    key: str | None = None
    features: dict[str, float | str | None] = {}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of one request that one release answered; `seconds` is what the whole request took in the server."""

    schema: int
    time: datetime
    request: str
    release: str | None
    bundle: str
    arm: str
    seconds: float | None
    rows: list[Row]


class _Version(msgspec.Struct, frozen=True):
    schema: int


def files(folder: Path) -> list[Path]:
    """Give the log's files in the order of their first lines."""
    return sorted(folder.glob(PATTERN))


def sources(path: Path) -> list[Path]:
    """Give the files of a folder, or the one file. Raises BadData: there is no log."""
    if not path.exists():
        raise BadData(f"there is no prediction log at {path}", "MERGELINE_PREDICTION_LOG names it to the server.")
    return files(path) if path.is_dir() else [path]


def finished(path: Path) -> bool:
    """Say whether no server writes a file any more: who does holds its lock."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        os.close(file)
    return True


def read(path: Path) -> Iterator[Event]:
    """Give the events of a file, of all files of a folder, or of standard input for `-`.

    A last line without its end is still being written, or was cut off with its server: it is left out. Outside the
    servers' own files, other lines may stand between: what a platform collected holds all that a container said.

    Raises:
        BadData: there is no log, or a line is no event, or of a newer schema.
    """
    if path == Path(STREAM):
        yield from _events(sys.stdin.buffer, "standard input", collected=True)
        return
    for file in sources(path):
        try:
            lines = file.open("rb")
        except FileNotFoundError:
            continue  # it made room for a newer one
        with lines:
            yield from _events(lines, str(file), collected=not file.match(PATTERN))


def _events(lines: Iterable[bytes], where: str, *, collected: bool) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        if line.endswith(b"\n") and (not collected or line.startswith(BEGINS)):
            yield _event(line, f"{where}, line {number}")


def _event(line: bytes, where: str) -> Event:
    try:
        found = msgspec.json.decode(line, type=_Version).schema
        if found > SCHEMA:
            raise BadData(f"{where}: schema {found} is newer than {SCHEMA}", "Update the project's loop.")
        return msgspec.json.decode(line, type=Event)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadData(f"{where}: {error}", "It is no line of the prediction log: take it out.") from error
