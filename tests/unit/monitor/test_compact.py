"""The prediction log as Parquet: each prediction once, whatever happens between two calls."""

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from typer.testing import CliRunner

from mergeline import cli
from mergeline.errors import BadData
from mergeline.events import SCHEMA, Event, Row
from mergeline.monitor import compact

MOMENT = datetime(2026, 11, 29, 10, 15, tzinfo=UTC)


def event(number: int, *features: dict[str, Any], arm: str = "pinned") -> bytes:
    """A line of the log; of a shadow where no row has features."""
    rows = [
        Row(i, [0.25, 0.75], "yes" if given else None, f"key {number}" if given else None, given)
        for i, given in enumerate(features)
    ]
    made = Event(
        schema=SCHEMA,
        time=MOMENT + timedelta(seconds=number),
        request=f"order-{number}",
        release="r1",
        bundle="b1",
        arm=arm,
        seconds=0.002,
        rows=rows,
    )
    return msgspec.json.encode(made) + b"\n"


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of the log and give its folder."""

    def one(*lines: bytes, name: str = "predictions-1.jsonl") -> Path:
        (tmp_path / "log").mkdir(exist_ok=True)
        (tmp_path / "log" / name).write_bytes(b"".join(lines))
        return tmp_path / "log"

    return one


def test_a_line_for_each_prediction_and_a_column_for_each_feature(log: Callable[..., Path], tmp_path: Path) -> None:
    folder = log(
        event(
            1, {"carrier": "UA", "distance": 1400.0, "gate": None}, {"carrier": None, "distance": 200.0, "gate": None}
        ),
        event(1, {}, {}, arm="shadow"),
        b'{"schema":1,"time":"2026-11-29T10:1',
    )

    said = compact.run(folder, tmp_path / "out", remove=False)

    found = pl.read_parquet(tmp_path / "out/predictions-1.parquet")
    assert (said.files, said.rows, said.there, said.open) == (1, 4, 0, 0)
    assert dict(found.schema) == {
        **compact.SCHEMA,
        "feature_carrier": pl.String,
        "feature_distance": pl.Float64,
    }
    assert found.select("request", "arm", "row", "label", "key", "feature_carrier", "feature_distance").rows() == [
        ("order-1", "pinned", 0, "yes", "key 1", "UA", 1400.0),
        ("order-1", "pinned", 1, "yes", "key 1", None, 200.0),
        ("order-1", "shadow", 0, None, None, None, None),
        ("order-1", "shadow", 1, None, None, None, None),
    ]
    assert found["time"].unique().to_list() == [MOMENT + timedelta(seconds=1)]
    assert found["scores"].to_list() == [[0.25, 0.75]] * 4


def test_a_column_that_became_hashed_in_between_is_text(
    log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "ROWS", 1)
    folder = log(event(1, {"age": 41.0}), event(2, {"age": "9f3c"}), event(3, {"other": 1.0}))

    found = compact.read(folder / "predictions-1.jsonl")

    assert found["feature_age"].to_list() == ["41.0", "9f3c", None]
    assert found["feature_other"].to_list() == [None, None, 1.0]


def test_the_next_call_writes_what_is_new_and_leaves_what_a_server_writes(
    log: Callable[..., Path], tmp_path: Path
) -> None:
    folder = log(event(1, {"a": 1.0}))
    compact.run(folder, tmp_path / "out", remove=False)
    log(event(2, {"b": "x"}), name="predictions-2.jsonl")
    log(event(3, {"a": 3.0}), name="predictions-3.jsonl")

    with (folder / "predictions-3.jsonl").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = compact.run(folder, tmp_path / "out", remove=True)

    assert said.line() == (
        f"1 row of 1 file written to {tmp_path / 'out'}; 1 file there already; "
        "1 file still written by a server, left for the next call"
    )
    assert [path.name for path in sorted(folder.iterdir())] == ["predictions-3.jsonl"]
    scanned = pl.scan_parquet(tmp_path / "out/*.parquet", missing_columns="insert", extra_columns="ignore")
    assert scanned.select("request", "feature_a").collect().rows() == [("order-1", 1.0), ("order-2", None)]


def test_what_cannot_be_written_or_read_stays_in_the_log(
    log: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = log(event(1, {"a": 1.0}))
    log(b"half a line\n", name="predictions-2.jsonl")

    with pytest.raises(BadData, match=r"predictions-2\.jsonl, line 1: .*take it out"):
        compact.run(folder, tmp_path / "out", remove=True)
    assert [path.name for path in folder.iterdir()] == ["predictions-2.jsonl"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions-1.parquet"]

    log(event(1, {"a": 1.0}), name="predictions-2.jsonl")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        compact.run(folder, tmp_path / "out", remove=True)
    assert [path.name for path in folder.iterdir()] == ["predictions-2.jsonl"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions-1.parquet"]


def test_a_file_that_a_platform_collected_is_written_anew_since_it_grows(
    log: Callable[..., Path], tmp_path: Path
) -> None:
    for count in (1, 2):
        lines = [event(number, {"a": 1.0}) for number in range(count)]
        compact.run(log(*lines, name="container.log") / "container.log", tmp_path / "out", remove=False)

    assert pl.read_parquet(tmp_path / "out/container.parquet")["request"].to_list() == ["order-0", "order-1"]


def test_a_file_that_a_platform_collected_is_taken_and_no_log_is_said_in_a_line(
    log: Callable[..., Path], tmp_path: Path
) -> None:
    folder = log(event(1, {"a": 1.0}), b'{"level":"info"}\n', event(2, {"a": 2.0}), name="container.log")
    run = CliRunner().invoke

    done = run(cli.app, ["monitor", "compact", str(folder / "container.log"), str(tmp_path / "out")])
    lacking = run(cli.app, ["monitor", "compact", str(tmp_path / "nowhere"), str(tmp_path / "out")])

    assert done.stdout == f"2 rows of 1 file written to {tmp_path / 'out'}\n"
    assert str(lacking.exception).startswith(f"there is no prediction log at {tmp_path / 'nowhere'}")
