"""A test's real tools: without one it is skipped on a laptop, and fails under REQUIRE_TOOLS=1."""

import os
from pathlib import Path

import pytest

from tools.need import Missing, find


def need(name: str) -> Path:
    """Give the path of a program that a test runs."""
    try:
        return find(name)
    except Missing as missing:
        if os.environ.get("REQUIRE_TOOLS") == "1":
            pytest.fail(f"{missing}, and REQUIRE_TOOLS=1 asks for it")
        pytest.skip(str(missing))
