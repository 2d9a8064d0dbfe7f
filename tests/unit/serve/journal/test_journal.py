"""The log never holds an answer up: what it cannot take it drops, and counts."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.serve import journal as journals
from mergeline.serve.experiment.arms import Arms, Beside
from mergeline.serve.journal.folder import Folder
from tests.tools import until
from tests.unit.serve.experiment.conftest import Server
from tests.unit.serve.journal.conftest import Log, answered
from tests.unit.serve.made import export, made_rows

Logs = Callable[..., Log]


def test_a_request_is_a_line_that_says_what_was_answered(bundle: Bundle, log: Logs) -> None:
    made = answered(bundle, made_rows(3))
    before = time.time()

    (event,) = log().start().put(bundle, made).events()

    assert (event.schema, event.request, event.release, event.bundle) == (1, "order-66", "r1", bundle.id)
    assert (event.arm, event.seconds) == ("pinned", made.seconds)
    assert before <= event.time.timestamp() <= time.time()
    assert [row.row for row in event.rows] == [0, 1, 2]
    assert [row.scores for row in event.rows] == made.scores.tolist()
    assert [row.label for row in event.rows] == made.labels
    assert {row.key for row in event.rows} == {None}


def test_a_regression_has_values_and_no_label(log: Logs, tmp_path: Path) -> None:
    bundle = bundles.load(export(tmp_path / "bundle", classes=(), depth=2))
    made = answered(bundle, made_rows(2))

    (event,) = log().start().put(bundle, made).events()

    assert [row.scores for row in event.rows] == made.scores.tolist()
    assert {row.label for row in event.rows} == {None}


def test_a_large_request_is_several_lines(bundle: Bundle, log: Logs) -> None:
    made = answered(bundle, made_rows(250))

    found = log().start().put(bundle, made).events()

    assert [len(event.rows) for event in found] == [100, 100, 50]
    rows = [row for event in found for row in event.rows]
    assert [row.row for row in rows] == list(range(250))
    assert [row.scores for row in rows] == made.scores.tolist()
    assert rows[249].features["distance"] == (made.raw["distance"][249] if made.raw["distance"][249] > 0 else None)


def test_each_row_is_its_releases(bundle: Bundle, beside: Callable[..., Server], log: Logs) -> None:
    server = beside(key="carrier", share=0.5)
    made = server.ask(made_rows(60))[1]
    assert made.assigned is not None

    found = {event.arm: event for event in log(key="k" * 16).start().put(bundle, made, arms=server.arms).events()}

    assert [row.row for row in found["ab"].rows] == np.flatnonzero(made.assigned).tolist()
    assert [row.row for row in found["pinned"].rows] == np.flatnonzero(~made.assigned).tolist()
    assert (found["ab"].release, found["pinned"].release) == ("r2", "r1")
    assert server.arms.beside is not None
    assert found["ab"].bundle == server.arms.beside.bundle.id != found["pinned"].bundle
    keys = {row.key for event in found.values() for row in event.rows}
    carriers = {row.features["carrier"] for event in found.values() for row in event.rows}
    assert len(keys) == len(carriers)
    assert not keys & carriers


def test_what_a_shadow_said_is_logged_beside_what_was_answered(
    bundle: Bundle, other: Bundle, beside: Callable[..., Server], log: Logs
) -> None:
    written = log().start()
    server = beside(kind="shadow")
    assert isinstance(server.arms.beside, Beside)
    recording = Beside(server.arms.beside.experiment, other, bundle, written.journal.shadowed)
    arms = Arms(bundle, "r1", recording)
    made = Server(arms).ask(made_rows(4))[1]
    written.put(bundle, made, arms=arms)
    arms.close()
    server.arms.close()

    found = {event.arm: event for event in written.events()}

    assert found["shadow"].request == found["pinned"].request
    assert (found["shadow"].release, found["shadow"].bundle) == ("r2", other.id)
    assert [row.scores for row in found["shadow"].rows] == other.scores(made.raw).tolist()
    assert [row.row for row in found["shadow"].rows] == [0, 1, 2, 3]
    assert written.counted == {None: 8}


def test_what_comes_while_the_queue_is_full_is_dropped_and_counted(
    bundle: Bundle, log: Logs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journals, "QUEUE_BYTES", 10_000)
    made = answered(bundle, made_rows(2))
    written = log().put(bundle, *[made] * 50)
    waiting = len(written.journal._waiting)

    found = written.start().events()

    assert 0 < waiting < 50
    assert len(found) == waiting
    assert written.counted == {None: 2 * waiting, "queue": 100 - 2 * waiting}
    assert (written.journal.written, written.journal.dropped) == (2 * waiting, {"queue": 100 - 2 * waiting})
    assert [record.message for record in caplog.records] == ["the prediction log drops rows"]


def test_a_full_disk_drops_and_what_comes_later_is_written(
    bundle: Bundle, log: Logs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mergeline.serve")
    full = threading.Event()
    append = Folder.append

    def appended(folder: Folder, lines: bytes) -> None:
        if full.is_set():
            raise OSError(28, "No space left on device")
        append(folder, lines)

    monkeypatch.setattr(Folder, "append", appended)
    one = answered(bundle, made_rows(1))
    written = log().start()

    written.put(bundle, one)
    until(lambda: written.counted.get(None) == 1)
    full.set()
    written.put(bundle, *[one] * 5)
    until(lambda: written.counted.get("disk") == 5)
    full.clear()
    until(lambda: written.put(bundle, one).counted.get(None, 0) > 1)

    found = written.events()
    assert len(found) == written.counted[None]
    assert [record.message for record in caplog.records] == [
        "the prediction log drops rows",
        "the prediction log is written again",
    ]
    fields = caplog.records[0].fields  # type: ignore[attr-defined]
    assert fields == {"reason": "disk", "rows": 5, "error": "[Errno 28] No space left on device"}


def test_a_folder_that_cannot_be_is_waited_for(bundle: Bundle, log: Logs, tmp_path: Path) -> None:
    place = tmp_path / "volume"
    place.write_text("not mounted yet")
    one = answered(bundle, made_rows(1))
    written = log(folder=place / "log").start()
    written.put(bundle, one)
    until(lambda: written.counted.get("disk"))

    place.unlink()
    until(lambda: written.put(bundle, one).counted.get(None))

    assert len(written.events()) == written.counted[None]


def test_a_row_that_cannot_be_written_costs_no_other(bundle: Bundle, log: Logs) -> None:
    one = answered(bundle, [{"carrier": "UA"}])
    half = answered(bundle, [{"carrier": "UA"}])
    half.raw["carrier"][0] = "\ud800"
    huge = answered(bundle, [{"carrier": "x" * 2**21}])

    written = log().start().put(bundle, one, half, huge, one)

    assert len(written.events()) == 2
    assert written.counted == {None: 2, "failed": 2}


def test_closing_writes_what_is_queued(bundle: Bundle, log: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "GATHER_SECONDS", 60)
    one = answered(bundle, made_rows(1))

    assert len(log().start().put(bundle, *[one] * 300).events()) == 300


def test_closing_does_not_wait_for_a_disk_that_hangs(
    bundle: Bundle, log: Logs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(Folder, "append", lambda *_: hangs.wait(30))
    written = log().start().put(bundle, *[answered(bundle, made_rows(1))] * 40)

    written.journal.close(0.05)

    assert [record.message for record in caplog.records] == ["the prediction log was not written out"]
    hangs.set()
