"""Locks that a killed run of Terraform left, and whose they are."""

import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mergeline.release import interrupted
from tests.unit.project import TEMPLATE

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
SAID = """the state is already locked
Lock Info:
  ID:        4b1d
  Path:      states/staging
  Operation: OperationTypeApply
  Who:       ada@{host}
  Created:   {created} +0000 UTC
"""
HOLDS = """
import sys, time
from pathlib import Path
from mergeline.release import interrupted
with interrupted.noted(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("host", "after", "killed", "found"),
    [
        (socket.gethostname(), 1, [BEGAN], "4b1d"),
        (socket.gethostname(), -5, [BEGAN], None),
        ("elsewhere", 1, [BEGAN], None),
        (socket.gethostname(), 1, [], None),
    ],
    ids=["our own", "older than our run", "of another machine", "no run was killed"],
)
def test_only_the_lock_of_a_run_that_was_killed_here_is_taken_away(
    host: str, after: int, killed: list[datetime], found: str | None
) -> None:
    created = f"{BEGAN + timedelta(seconds=after):%Y-%m-%d %H:%M:%S}.123456789"

    assert interrupted.lock_of(SAID.format(host=host, created=created), killed) == found


def test_what_says_nothing_of_a_lock_names_none() -> None:
    assert interrupted.lock_of("no such bucket", [BEGAN]) is None


def test_a_killed_run_is_remembered_until_another_ends_well(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(TEMPLATE / "src")}, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == b"held\n"
        with interrupted.noted(tmp_path) as (killed, _):
            assert killed == []  # it lives
        running.send_signal(signal.SIGKILL)

    for trouble in (True, False):
        try:
            with interrupted.noted(tmp_path) as (killed, _):
                assert len(killed) == 1
                if trouble:
                    raise RuntimeError("it did not end well")
        except RuntimeError:
            continue
    with interrupted.noted(tmp_path) as (killed, _):
        assert killed == []
