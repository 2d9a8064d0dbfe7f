from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline import events
from mergeline.bundle import Bundle
from mergeline.columns import Masking
from mergeline.events import Event
from mergeline.serve import journal as journals
from mergeline.serve import scoring
from mergeline.serve.experiment.arms import Arms
from mergeline.serve.journal import Journal
from mergeline.serve.journal.folder import Folder
from mergeline.serve.scoring import PREDICT, PROTOCOLS, Prediction, encode
from mergeline.serve.wire import JSON
from tests.unit.serve.experiment.conftest import beside, other, store  # noqa: F401 - fixtures

LIMIT = 2**24


def answered(bundle: Bundle, rows: Sequence[dict[str, Any]], request: str = "order-66") -> Prediction:
    """What a server answers to these rows."""
    return scoring.predict(bundle, "r1", PROTOCOLS[PREDICT], request, JSON, encode(rows))[1]


def masking(bundle: Bundle, **masked: Masking) -> Bundle:
    """The bundle with columns that its schema.py hides."""
    return replace(bundle, signature=msgspec.structs.replace(bundle.signature, masked=masked))


class Log:
    """A journal, what it counted, and what is in its folder."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.journal = Journal(Folder(folder, LIMIT), key)
        self.counted: dict[str | None, int] = {}

    def start(self) -> "Log":
        self.journal.start(self._count)
        return self

    def _count(self, reason: str | None, rows: int) -> None:
        self.counted[reason] = self.counted.get(reason, 0) + rows

    def put(self, bundle: Bundle, *requests: Prediction, arms: Arms | None = None) -> "Log":
        for made in requests:
            self.journal.predicted(made, arms or Arms(bundle, "r1"), 1000)
        return self

    def events(self) -> list[Event]:
        """End the journal, and read."""
        self.journal.close()
        return list(events.read(self.folder))

    def bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in events.files(self.folder))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Log]]:
    """Make journals that lose no time; all have ended when the test has."""
    monkeypatch.setattr(journals, "GATHER_SECONDS", 0.005)
    monkeypatch.setattr(journals, "RETRY_SECONDS", 0.01)
    made: list[Log] = []

    def one(*, key: str = "", folder: Path = tmp_path / "log") -> Log:
        made.append(Log(folder, key))
        return made[-1]

    yield one
    for each in made:
        if each.journal._thread.is_alive():
            each.journal.close()
