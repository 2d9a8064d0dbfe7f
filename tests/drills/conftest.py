"""A drill: an environment or a server that answers steady requests, and something that goes wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from mergeline.release import deploy, ledger, promotion, status, terraform
from mergeline.release.manifest import Release
from tests.drills.hands import Hands, OnDocker, OnKubernetes, OnLocal
from tests.tooling.docker import Docker
from tests.tooling.kubernetes import Cluster
from tests.tools import until
from tests.unit.bundles import ROWS
from tests.unit.docker_target.staging import docker, gateway, providers
from tests.unit.docker_target.staging import place as docker_place
from tests.unit.kubernetes_target.conftest import cluster_provider, images, started
from tests.unit.kubernetes_target.conftest import place as kubernetes_place
from tests.unit.local_target.conftest import place as local_place
from tests.unit.local_target.conftest import port
from tests.unit.project import Project
from tools.traffic import Traffic

__all__ = [
    "cluster_provider",
    "docker",
    "docker_place",
    "gateway",
    "images",
    "kubernetes_place",
    "local_place",
    "port",
    "providers",
]


class Asked(Protocol):
    """What is counted of a drill: answers, requests that were lost, answers that were wrong."""

    answered: int
    lost: list[str]
    wrong: list[str]


KEPT = pytest.StashKey[list[Asked]]()


@dataclass
class Counts:
    """What a drill counts itself."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Iterator[Counts]:
    """Count a drill; nothing may be lost or wrong when it is over."""
    found = Counts()
    request.config.stash.setdefault(KEPT, []).append(found)
    yield found
    assert found.lost == []
    assert found.wrong == []


@dataclass
class Drill:
    """The environment staging of a project, with the release that ran when the drill began."""

    hands: Hands
    first: Release
    traffic: Traffic

    @property
    def project(self) -> Project:
        return self.hands.project

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def folder(self) -> Path:
        """Where the state of staging lies."""
        return terraform.folder(self.root, "staging")

    def pin(self, seed: int) -> Release:
        """Make a release and pin it; from now on it may answer."""
        made = self.hands.pin(seed)
        self.traffic.right |= {made.id}
        return made

    def deploy(self) -> None:
        deploy.run(self.root, "staging")

    def back(self) -> None:
        """Move the pin back, as a commit."""
        promotion.rollback(self.root, "staging", to=None, reason="a drill", pull_request=False)

    def serves(self, expected: Release) -> None:
        """From now on `expected` alone answers, and `model status` says so."""
        self.traffic.right = frozenset({expected.id})
        assert status.look(self.root, "staging").running == expected.id

    def told(self) -> list[tuple[str, str | None]]:
        """Give what the ledger says of staging, oldest first: what was done, and how its deployment went."""
        moves = [m for m in ledger.run(self.root, "staging").moves if m.action != "created"]
        return [(m.action, m.last.state if m.last else None) for m in reversed(moves)]


@pytest.fixture(scope="module")
def cluster(docker: Docker) -> Iterator[Cluster]:
    """A cluster beside the docker environments, with images of their engine."""
    with started(docker) as found:
        yield found


@pytest.fixture(params=["local", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("docker", "kubernetes"))])
def hands(request: pytest.FixtureRequest) -> Hands:
    """Hands on an environment of each target that runs here."""
    place = request.getfixturevalue(f"{request.param}_place")
    if request.param == "docker":
        return OnDocker(place, request.getfixturevalue("docker"))
    return OnLocal(place) if request.param == "local" else OnKubernetes(place)


@pytest.fixture
def drill(hands: Hands, request: pytest.FixtureRequest) -> Iterator[Drill]:
    """Serve a first release under traffic; nothing may be lost or wrong when the drill is over."""
    first = hands.pin(1)
    deploy.run(hands.project.root, "staging")
    with Traffic(hands.port, [first.id], ROWS) as traffic:
        yield Drill(hands, first, traffic)
        until(lambda: traffic.answered > 20)
    request.config.stash.setdefault(KEPT, []).append(traffic)
    assert traffic.lost == []
    assert traffic.wrong == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Count the drills."""
    if found := config.stash.get(KEPT, []):
        lost, wrong = sum(len(t.lost) for t in found), sum(len(t.wrong) for t in found)
        terminalreporter.write_line(
            f"{len(found)} drills, {lost} lost, {wrong} wrong (of {sum(t.answered for t in found):,} requests)"
        )
