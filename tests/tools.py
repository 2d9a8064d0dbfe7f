"""What tests ask of the machine: a tool, without which they are skipped, or fail under REQUIRE_TOOLS=1; patience."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tools.need import Missing, find


def need(name: str) -> Path:
    """Give the path of a program that a test runs."""
    try:
        return find(name)
    except Missing as missing:
        without(str(missing))


def cut_off() -> list[str]:
    """Give the words before a command that take the network from it: even a server on this machine is out of reach."""
    for words in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
        ):
            break
    else:
        without("nothing here may take the network from a command (unshare --net)")
    return words


def without(reason: str) -> NoReturn:
    """Skip the test that runs, with the reason, or fail it where all tools are asked for."""
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(f"{reason}, and REQUIRE_TOOLS=1 asks for it")
    pytest.skip(reason)


def until(done: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that another process does; fail when it does not happen."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
