"""`.ci/run` with a `make` that only tells what it is asked for: what is played, in which order, and what a failure does."""

import os
import subprocess
from pathlib import Path

import pytest

from tools.bake import TEMPLATE


def played(folder: Path, fails: str = "") -> tuple[list[str], int]:
    """Run it where nothing has to be installed; give the verbs that were made, and the exit code."""
    for name in ("dockerd", "debootstrap", "chromium"):
        (folder / name).write_text("#!/bin/sh\n")
    (folder / "make").write_text(f'#!/bin/sh\necho "$REQUIRE_TOOLS $1"\ntest "$1" != "{fails}"\n')
    for program in folder.iterdir():
        program.chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", TEMPLATE / ".ci" / "run"], env=env, capture_output=True, text=True, check=False)
    return done.stdout.splitlines(), done.returncode


def test_the_demo_is_played_and_stopped_before_the_tests_which_have_the_last_word(tmp_path: Path) -> None:
    assert played(tmp_path) == (["1 demo", "1 demo-down", "1 test"], 0)


@pytest.mark.parametrize(
    ("fails", "verbs"),
    [("demo", ["demo", "demo-down"]), ("demo-down", ["demo", "demo-down"]), ("test", ["demo", "demo-down", "test"])],
)
def test_whatever_fails_fails_the_run_and_a_demo_is_never_left_running(
    tmp_path: Path, fails: str, verbs: list[str]
) -> None:
    assert played(tmp_path, fails) == ([f"1 {verb}" for verb in verbs], 1)
