"""An environment that runs on a real Docker engine: real Terraform, real containers, a real gateway."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline.release import build, promotion, status, targets, terraform
from mergeline.release.manifest import Release
from tests.tooling import provider
from tests.tooling.docker import Docker, Unavailable, base_image, engine
from tests.tools import need, without
from tests.unit.project import NAME, TEMPLATE, Project
from tools.need import Missing
from tools.ports import free_port

GATEWAY = f"{NAME}-staging-gateway"


def version(url: str) -> str:
    with urllib.request.urlopen(f"{url}/version", timeout=10) as answer:  # noqa: S310 - the gateway of the test
        return str(json.loads(answer.read())["release"])


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    """A Docker engine, which this process and Terraform use."""
    try:
        with engine() as found:
            yield found
    except Unavailable as reason:
        without(str(reason))


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which Terraform finds the docker provider."""
    need("terraform")
    try:
        return provider.settings(tmp_path_factory.mktemp("provider"), "docker")
    except Missing as reason:
        without(str(reason))


@pytest.fixture(scope="module")
def gateway(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an image of HAProxy."""
    return gateway_image(docker, tmp_path_factory.mktemp("haproxy"))


def gateway_image(docker: Docker, folder: Path) -> str:
    """Make an image of this machine's own HAProxy and the libraries that it needs; give its id."""
    program = need("haproxy")
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    files = [Path(word) for line in linked.splitlines() for word in line.split() if word.startswith("/")]
    for file in files:
        place = folder / "root/usr" / file.relative_to("/usr" if file.parts[1] == "usr" else "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    place = folder / "root/usr/local/bin/haproxy"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, place)
    (folder / "Dockerfile").write_text(f"FROM {base_image(docker)}\nCOPY root/usr /usr\nSTOPSIGNAL SIGUSR1\nUSER 99\n")
    return docker.say("build", "--quiet", folder)


@pytest.fixture
def place(
    docker: Docker, gateway: str, providers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project whose staging is a docker environment on a free port; nothing of it is left."""
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "state"))
    for name, value in ({"DOCKER_HOST": docker.host} if docker.host else {}).items() | providers.items():
        monkeypatch.setenv(name, str(value))
    project = Project.make(tmp_path / NAME)
    folder = project.root / "infra/environments/staging"
    (folder / "terraform.tfvars").write_text(
        f'name = "{NAME}"\nport = {free_port()}\nreplicas = {{ min = 2, max = 2 }}\n'
    )
    extras = project.root / "infra/modules/service/docker/extras.tf"
    text = extras.read_text()
    begin = text.index('"haproxy@sha256:')
    extras.write_text(text.replace(text[begin : text.index("\n", begin)], f'"{gateway}"'))
    (folder / "target.tf").write_text(targets.written(NAME, "staging", "docker"))
    project.commit("Run staging on docker")
    yield project
    terraform.init(project.root, "staging")
    terraform.destroy(project.root, "staging")
    assert owned(docker) == []


def image(project: Project, docker: Docker, seed: int) -> str:
    """Train a model and build its image; give its id."""
    project.train(seed)
    context = project.root.parent / f"context-{seed}"
    context.mkdir()
    for name in (".dockerignore", "Dockerfile", "requirements", "src"):
        copy = shutil.copytree if (TEMPLATE / name).is_dir() else shutil.copy
        copy(TEMPLATE / name, context / name)
    shutil.copytree(project.root / "bundle", context / "bundle")
    return docker.say("build", "--quiet", "--build-arg", f"BASE={base_image(docker)}", context)


def pin(project: Project, docker: Docker, seed: int) -> Release:
    """Train a model, build its image, release it, and pin it in staging."""
    made = build.run(project.root, image=image(project, docker, seed)).release
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    return made


def look(project: Project) -> status.Environment:
    return status.look(project.root, "staging")


def containers(docker: Docker) -> list[str]:
    """Name the containers of staging, stopped ones too."""
    return docker.say("ps", "--all", "--format", "{{.Names}}", "--filter", f"name={NAME}-staging").split()


def owned(docker: Docker) -> list[str]:
    """Name what the engine has of staging: containers, stopped ones too, networks, volumes."""
    label = f"label=mergeline.environment={NAME}-staging"
    lists = (
        ("container", "ls", "--all", "--format", "{{.Names}}"),
        ("network", "ls", "--format", "{{.Name}}"),
        ("volume", "ls", "--format", "{{.Name}}"),
    )
    return sorted(name for one in lists for name in docker.say(*one, "--filter", label).split())
