"""A real cluster of one node, and a project whose staging Terraform's real provider applies there."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mergeline.release import build, promotion, status, targets
from mergeline.release.manifest import Release
from tests.tooling import kubernetes, provider
from tests.tooling.docker import Docker, Unavailable, base_image, engine
from tests.tooling.kubernetes import Cluster
from tests.tools import need, without
from tests.unit.project import NAME, TEMPLATE, Project
from tools.need import Missing

SPACE = f"{NAME}-staging"
LAG = 1.0
"""Seconds after which those who lead requests to pods know of a change."""
STAGING = Path("infra/environments/staging")


@contextmanager
def started(docker: Docker | None = None) -> Iterator[Cluster]:
    """Give a cluster, and the engine that builds its images unless there is one; without them the test is skipped."""
    try:
        with nullcontext(docker) if docker else engine() as builds, kubernetes.cluster(builds) as found:
            yield found
    except Unavailable as reason:
        without(str(reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster for the tests of this folder."""
    with started() as found:
        yield found


@pytest.fixture(scope="session")
def cluster_provider(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which Terraform finds the provider."""
    need("terraform")
    try:
        return provider.settings(tmp_path_factory.mktemp("provider"), "kubectl")
    except Missing as reason:
        without(str(reason))


@dataclass(frozen=True)
class Place:
    """A project whose staging runs in the cluster, and what a test does to it; `images` knows those that were built."""

    project: Project
    cluster: Cluster
    port: int
    images: dict[int, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, **changed: Any) -> None:
        """Write terraform.tfvars, and commit it."""
        inputs: dict[str, Any] = {
            "name": NAME,
            "port": 8101,
            "replicas": {"min": 2, "max": 3},
            "cpu": 0.3,
            "env": {"MERGELINE_OPEN": "1"},
            "kubernetes": {"address": self.url, "context": "tests", "ready_seconds": 120, "drain_seconds": 3},
        }
        for name, value in changed.items():
            inputs[name] = {**inputs.get(name, {}), **value} if isinstance(value, dict) else value
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in inputs.items())
        (self.root / STAGING / "terraform.tfvars").write_text(text)
        self.project.commit("Say how staging runs")

    def pin(self, seed: int, image: str | None = None) -> Release:
        """Release as `build` does, and pin it in staging."""
        made = self.build(seed, image)
        promotion.promote(self.root, "staging", release=made.id, pull_request=False)
        return made

    def build(self, seed: int, image: str | None = None) -> Release:
        """Train a model, build its image unless one is given, and release it."""
        self.project.train(seed)
        if seed not in self.images and image is None:
            self.images[seed] = self.cluster.load(_image(self.project, self.cluster.docker, seed))
        return build.run(self.root, image=image or self.images[seed]).release

    def look(self) -> status.Environment:
        return status.look(self.root, "staging")

    def objects(self, kind: str) -> dict[str, dict[str, Any]]:
        """Give the objects of a kind in staging's namespace, by name."""
        found = json.loads(self.cluster.kubectl("get", kind, "-n", SPACE, "-o", "json"))["items"]
        return {one["metadata"]["name"]: one for one in found}

    def locked(self) -> bool:
        """Say whether a run of Terraform holds the state."""
        found = json.loads(self.cluster.kubectl("get", "leases", "-n", "default", "-o", "json"))["items"]
        return any(one["spec"].get("holderIdentity") for one in found)

    def lose_state(self) -> None:
        """Remove what Terraform knows of staging."""
        self.cluster.kubectl("delete", "secrets", "-n", "default", "-l", "tfstateSecretSuffix")

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", SPACE, *arguments)


@pytest.fixture(scope="session")
def images() -> dict[int, str]:
    """The images of this run, by the seed of their model."""
    return {}


@pytest.fixture
def place(
    cluster: Cluster,
    cluster_provider: dict[str, str],
    images: dict[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """A project whose staging runs in the cluster; it is forgotten."""
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    for name, value in cluster_provider.items():
        monkeypatch.setenv(name, value)
    project = Project.make(tmp_path / NAME)
    with cluster.service(SPACE, SPACE, LAG) as port:
        made = Place(project, cluster, port, images)
        (project.root / STAGING / "target.tf").write_text(targets.written(NAME, "staging", "kubernetes"))
        made.write()
        yield made
    # Sooner than Terraform, which one test asks to: a namespace with pods in it takes half a minute.
    cluster.kubectl("delete", "deployments", "--all", "-n", SPACE, "--cascade=foreground")
    cluster.kubectl("delete", "namespace", SPACE, "--ignore-not-found")
    cluster.kubectl("delete", "secrets,leases", "-n", "default", "-l", "tfstateSecretSuffix")


def _image(project: Project, docker: Docker, seed: int) -> str:
    """Build the image of the model that was trained; give its id."""
    context = project.root.parent / f"context-{seed}"
    context.mkdir()
    for name in (".dockerignore", "Dockerfile", "requirements", "src"):
        copy = shutil.copytree if (TEMPLATE / name).is_dir() else shutil.copy
        copy(TEMPLATE / name, context / name)
    shutil.copytree(project.root / "bundle", context / "bundle")
    return docker.say("build", "--quiet", "--build-arg", f"BASE={base_image(docker)}", context)
