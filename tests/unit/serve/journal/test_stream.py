"""The log on standard output: whole lines of several workers, and what is read from all that a platform collected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mergeline import events
from mergeline.errors import BadData
from mergeline.serve.journal.stream import Stream

from ..servers import SOURCE

EVENT = b'{"schema":1,"time":"2026-11-29T10:15:00Z","request":"%b","release":"r1","bundle":"b","arm":"pinned","seconds":0.1,"rows":[]}\n'
WRITER = """
import sys
from mergeline.serve.journal.stream import Stream
stream = Stream()
print("ready", file=sys.stderr, flush=True)
sys.stdin.read()
for _ in range(50):
    stream.append(sys.argv[1].encode() * 100_000 + b"\\n")
"""


def begun(name: str, writer: int) -> "subprocess.Popen[bytes]":
    """Start a worker that writes as soon as its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name],
        env={"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.PIPE,
    )


def test_lines_that_workers_write_to_one_pipe_at_once_stay_whole() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as said, begun("a", writer) as one, begun("b", writer) as other:
        os.close(writer)
        assert [worker.stderr and worker.stderr.readline() for worker in (one, other)] == [b"ready\n"] * 2
        for worker in (one, other):
            assert worker.stdin is not None
            worker.stdin.close()
        lines = said.read().splitlines()

    assert (one.returncode, other.returncode) == (0, 0)
    assert sorted(lines) == [b"a" * 100_000] * 50 + [b"b" * 100_000] * 50


def test_after_a_line_that_was_taken_in_part_the_next_one_begins_anew() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    stream = Stream(writer)
    with pytest.raises(BlockingIOError):
        stream.append(b"x" * 10**6 + b"\n")
    os.read(reader, 10**6)

    stream.append(EVENT % b"whole")
    stream.append(EVENT % b"next")
    os.close(writer)

    with os.fdopen(reader, "rb") as said:
        assert said.read() == b"\n" + EVENT % b"whole" + EVENT % b"next"


def test_other_lines_are_passed_over_in_what_was_collected_but_not_in_a_servers_own_file(tmp_path: Path) -> None:
    said = (
        EVENT % b"one" + b'{"time":"2026-11-29T10:15:00Z","level":"info","message":"loaded"}\nFatal\n' + EVENT % b"two"
    )
    for name in ("container.log", "predictions-1.jsonl"):
        (tmp_path / name).write_bytes(said)

    assert [event.request for event in events.read(tmp_path / "container.log")] == ["one", "two"]
    with pytest.raises(BadData, match=r"predictions-1\.jsonl, line 2"):
        list(events.read(tmp_path / "predictions-1.jsonl"))
