"""An image of a small real bundle, built once, and containers that are gone when the test ends."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tooling.docker import Docker, Unavailable, base_image, engine
from tests.unit.serve.made import export

PROJECT = Path(__file__).parents[2] / "<<cookiecutter.project>>"
INPUTS = ("Dockerfile", ".dockerignore", "requirements/serve.txt", "src/mergeline")


@dataclass(frozen=True)
class Image:
    """A built image, and the bundle that it was built with."""

    docker: Docker
    name: str
    bundle: Path

    def python(self, code: str) -> str:
        """Run code by the image's own interpreter; give what it prints."""
        return self.docker.say("run", "--rm", "--entrypoint", "python", self.name, "-c", code)


@pytest.fixture(scope="session")
def docker_host() -> Iterator[Docker]:
    """A Docker engine; without one the test is skipped with the reason, and fails under REQUIRE_TOOLS=1."""
    try:
        with engine() as docker:
            yield docker
    except Unavailable as reason:
        if os.environ.get("REQUIRE_TOOLS") == "1":
            pytest.fail(f"{reason}, and REQUIRE_TOOLS=1 asks for it")
        pytest.skip(str(reason))
