"""An image of a small real bundle, built once, and containers that are gone when the test ends."""

import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from tests.tooling.docker import Docker, Unavailable, base_image, engine
from tests.unit.serve.made import export

PROJECT = Path(__file__).parents[2] / "<<cookiecutter.project>>"
INPUTS = ("Dockerfile", ".dockerignore", "requirements", "src")


@dataclass(frozen=True)
class Image:
    """A built image, and the project folder that it was built from."""

    docker: Docker
    name: str
    project: Path

    def python(self, code: str) -> str:
        """Run code by the image's own interpreter; give what it prints."""
        return self.docker.say("run", "--rm", "--entrypoint", "python", self.name, "-c", code)


@dataclass(frozen=True)
class Container:
    """A running container; `url` reaches its port 8000 from this machine."""

    docker: Docker
    id: str
    url: str

    def get(self, path: str, body: Any = None) -> Any:
        """Ask the server, and give its decoded answer."""
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (the test's own address)
            return msgspec.json.decode(answer.read())

    def until_ready(self) -> None:
        """Wait until the server answers; else say its log."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.get("/ready")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.docker.run("logs", self.id).stderr)


@pytest.fixture(scope="session")
def docker_host() -> Iterator[Docker]:
    """A Docker engine; without one the test is skipped with the reason, and fails under REQUIRE_TOOLS=1."""
    try:
        with engine() as docker:
            yield docker
    except Unavailable as reason:
        _lacking(reason)


@pytest.fixture(scope="session")
def base(docker_host: Docker) -> str:
    """The name of a Python base image."""
    try:
        return base_image(docker_host)
    except Unavailable as reason:
        _lacking(reason)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make image` sees: the project's files and a bundle."""
    folder = tmp_path_factory.mktemp("image")
    for name in INPUTS:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    export(folder / "bundle", name="flight-delays")
    return folder


@pytest.fixture(scope="session")
def image(docker_host: Docker, base: str, project: Path) -> Iterator[Image]:
    """The image, built as `make image` builds it."""
    name = f"mergeline-tests/image:{os.getpid()}"
    options = [f"BASE={base}", "NAME=flight-delays", "REVISION=0123abc"]
    arguments = [part for option in options for part in ("--build-arg", option)]
    docker_host.run("build", "--quiet", "--tag", name, *arguments, project)
    yield Image(docker_host, name, project)
    docker_host.run("image", "rm", "--force", name, check=False)


@pytest.fixture
def run(image: Image) -> Iterator[Callable[..., Container]]:
    """Start containers of the image, with further options of `docker run` and a command for its server."""
    started: list[str] = []

    def one(*options: str, command: Sequence[str] = ()) -> Container:
        docker = image.docker
        started.append(
            docker.say(
                *("run", "--detach", "--publish", "127.0.0.1::8000", "--env", "MERGELINE_OPEN=1"),
                *options,
                image.name,
                *command,
            )
        )
        address = docker.say("port", started[-1], "8000/tcp").splitlines()[0]
        container = Container(docker, started[-1], f"http://{address}")
        container.until_ready()
        return container

    yield one
    for container in started:
        image.docker.run("rm", "--force", container, check=False)


def _lacking(reason: Unavailable) -> NoReturn:
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(f"{reason}, and REQUIRE_TOOLS=1 asks for it")
    pytest.skip(str(reason))
