"""A small real bundle: numbers, text and times in, trees behind, exported to ONNX as training does it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from tests.unit.serve.made import export, made_rows
from tests.unit.serve.servers import Running, start


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle of a classification with two classes."""
    return export(tmp_path_factory.mktemp("served") / "bundle")


@pytest.fixture(scope="session")
def bundle(folder: Path) -> Bundle:
    return bundles.load(folder, threads=1)


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    """500 rows that the model was not fitted on: missing, absent and unknown values, several time zones."""
    return made_rows(500, seed=11)


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Start workers; all are gone when the test ends."""
    running: list[Running] = []

    def one(folder: Path, **options: Any) -> Running:
        running.append(start(folder, **options))
        return running[-1]

    yield one
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    """One worker for the tests that leave it as it is."""
    running = start(folder, release="r1")
    yield running
    running.stop()
