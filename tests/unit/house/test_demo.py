"""`make demo` and `make demo-down`: what stops them, in one sentence, and what they leave behind."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools import demo, left, need
from tools.play import Judged, Play

WORDS = "The weather's pull request was judged 'cannot tell', and should be 'better'."


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a demo whose project is gone."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "demo.log").write_text("of the demo before\n")
    monkeypatch.setattr(demo, "HOME", folder)
    monkeypatch.setattr(demo, "PROJECT", folder / "flight-delays")
    monkeypatch.setattr(left, "SECONDS", 0.2)
    return folder


def judged(word: str, *failed: str, comment: str = "", effects: int = 0) -> Judged:
    gates = [{"gate": name, "state": "failed", "text": ""} for name in failed]
    found: dict[str, Any] = {
        "word": word,
        "gates": [{"gate": "roc_auc.at_least", "state": "passed", "text": ""}, *gates],
        "attribution": {"rows": [{}] * effects} if effects else None,
    }
    return Judged(found, comment)


NEW_DATA = "| `data.as_of` | 2013-07-01 | 2013-08-01 |"


@pytest.mark.usefixtures("home")
def test_a_program_that_cannot_be_had_is_one_line_and_exit_code_10(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Path:
        raise need.Missing(f"{name} is not on the PATH, and the release cannot be fetched")

    monkeypatch.setattr(demo, "find", missing)

    with pytest.raises(SystemExit) as ended:
        demo.main(["play"])

    assert ended.value.code == 10
    assert capsys.readouterr().err == (
        "The demo cannot be played: git is not on the PATH, and the release cannot be fetched.\n"
    )
    assert (home / "demo.log").exists()


def test_a_port_that_another_program_has_stops_the_demo_before_it_starts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "find", Path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(demo, "PORTS", {"staging": port})

        with pytest.raises(SystemExit, match=f"Port {port} is taken by a program that is not the demo's"):
            demo.main(["play"])

    assert (home / "demo.log").exists()


def test_demo_down_says_that_nothing_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.main(["down"])

    assert capsys.readouterr().out == "Nothing of the demo is running.\n"
    assert home.exists()


def test_demo_down_names_a_server_that_still_runs_and_no_other(home: Path) -> None:
    def server(folder: Path) -> "subprocess.Popen[bytes]":
        sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
        started = subprocess.Popen([*sleep, "-m", "mergeline.serve.local", f"{folder}/state"], stdout=subprocess.PIPE)
        assert started.stdout
        started.stdout.readline()  # a process that has only just been started has no command yet
        return started

    with server(home) as mine, server(home.parent / "other") as other:
        try:
            with pytest.raises(SystemExit) as ended:
                demo.main(["down"])
        finally:
            mine.kill()
            other.kill()

    said = str(ended.value.code)
    assert said.startswith(f"The demo's servers should be gone, and these still run: {mine.pid} ")
    assert f"{other.pid} " not in said


@pytest.mark.parametrize(
    ("check", "passes", "stops", "says"),
    [
        (demo.shows_better, judged("better"), judged("cannot tell"), WORDS),
        (
            demo.stopped_by_the_gate,
            judged("worse", "roc_auc.not_worse"),
            judged("worse", "roc_auc.at_least"),
            "judged 'worse' and failed roc_auc.at_least: it should fail not_worse",
        ),
        (
            demo.stopped_by_the_gate,
            judged("worse", "log_loss.not_worse", "roc_auc.at_least"),
            judged("same"),
            "judged 'same' and failed no gate",
        ),
        (
            demo.names_the_new_data,
            judged("cannot tell", comment=NEW_DATA, effects=3),
            judged("cannot tell", comment="Nothing changed.", effects=3),
            "does not name data.as_of",
        ),
        (
            demo.names_the_new_data,
            judged("cannot tell", comment=NEW_DATA, effects=3),
            judged("cannot tell", comment=NEW_DATA),
            "does not say what data and what code did",
        ),
    ],
)
def test_a_pull_request_that_is_judged_otherwise_than_told_stops_the_demo(
    check: Callable[[Judged], None], passes: Judged, stops: Judged, says: str
) -> None:
    check(passes)

    with pytest.raises(SystemExit, match=says):
        check(stops)


def test_nothing_of_the_machine_that_plays_it_reaches_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "GH_TOKEN", "GITHUB_TOKEN", "RUNNER_ENVIRONMENT", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "x")

    env = Play(tmp_path / "demo.log").env

    assert not {name for name, value in env.items() if value == "x"}
