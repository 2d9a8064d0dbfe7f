"""The prediction log as its readers see it."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest

from mergeline import events
from mergeline.errors import BadData
from mergeline.events import Event, Row

EVENT = Event(
    schema=1,
    time=datetime(2026, 11, 29, 10, 15, tzinfo=UTC),
    request="order-66",
    release="r1",
    bundle="b1",
    arm="pinned",
    seconds=0.0002,
    rows=[
        Row(0, [0.83, 0.17], "no", None, {"carrier": "UA", "distance": 1400.0}),
        Row(1, [0.2, 0.8], "yes", None, {"carrier": None, "distance": None}),
    ],
)
LINE = msgspec.json.encode(EVENT) + b"\n"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "predictions-2.jsonl").write_bytes(LINE)
    (tmp_path / "predictions-1.jsonl").write_bytes(LINE.replace(b"order-66", b"order-65") + LINE)
    (tmp_path / "notes.txt").write_text("no event")

    assert [event.request for event in events.read(tmp_path)] == ["order-65", "order-66", "order-66"]
    assert list(events.read(tmp_path / "predictions-2.jsonl")) == [EVENT]


@pytest.mark.parametrize("kept", [1, len(LINE) // 2, len(LINE) - 1])
def test_a_torn_last_line_is_left_out(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "predictions-1.jsonl"
    path.write_bytes(LINE + LINE[:kept])

    assert list(events.read(path)) == [EVENT]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (LINE[:40] + b"\n", "line 2"),
        (b"\xff\n", "line 2"),
        (b'{"schema":1,"time":"yesterday"}\n', "line 2"),
        (LINE.replace(b'"schema":1', b'"schema":2'), "schema 2 is newer than 1"),
    ],
)
def test_another_line_is_refused_by_its_number(tmp_path: Path, line: bytes, what: str) -> None:
    path = tmp_path / "predictions-1.jsonl"
    path.write_bytes(LINE + line + LINE)

    with pytest.raises(BadData, match=what):
        list(events.read(path))


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"there is no prediction log at .*nowhere"):
        list(events.read(tmp_path / "nowhere"))


def test_polars_reads_a_row_a_prediction(tmp_path: Path) -> None:
    (tmp_path / "predictions-1.jsonl").write_bytes(LINE * 2)

    found = (
        pl.read_ndjson(tmp_path / "predictions-*.jsonl", infer_schema_length=None)
        .explode("rows")
        .unnest("rows")
        .unnest("features")
    )

    assert found.height == 4
    assert found["distance"].to_list() == [1400.0, None] * 2
    assert found["label"].to_list() == ["no", "yes"] * 2
