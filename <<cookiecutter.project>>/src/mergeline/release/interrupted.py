"""Terraform runs that were killed: what they had locked where the state is, nobody else would unlock.

Each run leaves a note in the environment's folder while it goes on. A lock that was taken on this machine while a run
went on that is dead now is that run's.
"""

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from .. import processes

FACT = re.compile(r"^\s*(ID|Who|Created):\s+(.+?)\s*$", re.MULTILINE)
"""Of what Terraform says of a lock."""


@contextmanager
def noted(folder: Path) -> Iterator[tuple[list[datetime], int]]:
    """Keep a note while the block runs. Killed runs are forgotten when it ends well.

    Gives when each run began whose process is dead, and the note's descriptor: a process that inherits it is part of
    this run, and may outlive the one that started it.
    """
    killed = [note for note in folder.glob("running-*") if not processes.held(note)]
    began = [datetime.fromtimestamp(note.stat().st_mtime, UTC) for note in killed]
    note = folder / f"running-{os.getpid()}"
    with processes.locked(note, "a run of Terraform") as descriptor:
        os.utime(note)
        try:
            yield began, descriptor
        finally:
            note.unlink(missing_ok=True)
    for other in killed:
        other.unlink(missing_ok=True)


def lock_of(said: str, killed: Sequence[datetime]) -> str | None:
    """Give the id of the lock that Terraform speaks of when it is one of a killed run on this machine; else None."""
    found = dict(FACT.findall(said))
    if not killed or not {"ID", "Who", "Created"} <= found.keys():
        return None
    taken = datetime.fromisoformat(found["Created"][:19]).replace(tzinfo=UTC)
    here = found["Who"].rpartition("@")[2] == socket.gethostname()
    return found["ID"] if here and taken >= min(killed).replace(microsecond=0) else None
