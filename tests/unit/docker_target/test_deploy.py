"""Deployments of real releases on a real engine: real Terraform, real containers, a real gateway."""

import json
import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mergeline.errors import DeploymentFailed, Usage
from mergeline.release import build, deploy, promotion, retarget, status, terraform
from mergeline.release.manifest import Release
from tests.tooling import provider
from tests.tooling.docker import Docker, Unavailable, base_image, engine
from tests.tools import need, without
from tests.unit.docker_target.conftest import free_port
from tests.unit.project import NAME, TEMPLATE, Project
from tools.need import Missing

pytestmark = pytest.mark.slow


@dataclass
class Load:
    """Steady requests on fresh connections; what failed, and which releases answered when."""

    url: str
    failed: list[str] = field(default_factory=list)
    answers: list[tuple[float, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.over.set()
        self.thread.join()

    def _ask(self) -> None:
        while not self.over.is_set():
            begun = time.monotonic()
            try:
                self.answers.append((begun, version(self.url)))
            except OSError as error:
                self.failed.append(str(error))
            time.sleep(0.01)

    def wrong(self, since: float, release: str) -> int:
        """Count answers to requests that began after `since` and came from another release."""
        return sum(begun > since and found != release for begun, found in self.answers)


def version(url: str) -> str:
    with urllib.request.urlopen(f"{url}/version", timeout=10) as answer:  # noqa: S310 - the gateway of the test
        return str(json.loads(answer.read())["release"])


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


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
        return provider.settings(tmp_path_factory.mktemp("provider"))
    except Missing as reason:
        without(str(reason))


@pytest.fixture(scope="module")
def gateway(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an image of HAProxy, of this machine's own program and the libraries that it needs."""
    program = need("haproxy")
    folder = tmp_path_factory.mktemp("haproxy")
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
    (folder / "target.tf").write_text(retarget.written(NAME, "staging", "docker"))
    project.commit("Run staging on docker")
    yield project
    terraform.init(project.root, "staging")
    terraform.destroy(project.root, "staging")


def pin(project: Project, docker: Docker, seed: int) -> Release:
    """Train a model, build its image, release it, and pin it in staging."""
    project.train(seed)
    context = project.root.parent / f"context-{seed}"
    context.mkdir()
    for name in ("Dockerfile", "requirements", "src"):
        copy = shutil.copytree if (TEMPLATE / name).is_dir() else shutil.copy
        copy(TEMPLATE / name, context / name)
    shutil.copytree(project.root / "bundle", context / "bundle")
    image = docker.say("build", "--quiet", "--build-arg", f"BASE={base_image(docker)}", context)
    made = build.run(project.root, image=image).release
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    return made


def look(project: Project) -> status.Environment:
    return status.look(project.root, "staging")


def test_a_release_runs_and_a_second_plan_is_empty(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)

    done = deploy.run(place.root, "staging")

    assert done.rows > 0
    assert version(str(done.url)) == made.id
    assert terraform.plan(place.root, "staging").actions == []
    assert look(place).word == "running"


@pytest.mark.parametrize("strategy", ["blue_green", "rolling"])
def test_a_switch_and_a_rollback_lose_nothing(place: Project, docker: Docker, strategy: str) -> None:
    variables = place.root / "infra/environments/staging/terraform.tfvars"
    variables.write_text(variables.read_text() + f'strategy = "{strategy}"\n')
    place.commit("Choose a strategy")
    first = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    second = pin(place, docker, 3)
    with Load(url) as load:
        deploy.run(place.root, "staging")
        switched = time.monotonic()
        time.sleep(2)
        back = time.monotonic()
        promotion.rollback(place.root, "staging", to=None, reason="test", pull_request=False)
        deploy.run(place.root, "staging")
        returned = time.monotonic()
        time.sleep(2)

    assert load.failed == []
    assert load.wrong(returned, first.id) == 0
    assert not [1 for begun, found in load.answers if switched < begun < back and found != second.id]
    assert len(load.answers) > 200


def test_an_image_that_does_not_exist_leaves_the_old_release(place: Project, docker: Docker) -> None:
    first = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    place.train(3)
    build.run(place.root, image=f"sha256:{'0' * 64}")
    promotion.promote(place.root, "staging", release=None, pull_request=False)

    with pytest.raises(DeploymentFailed, match="rolled back"):
        deploy.run(place.root, "staging")

    assert version(url) == first.id


def test_a_killed_server_and_a_killed_gateway_come_back(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    for name in docker.say("ps", "--format", "{{.Names}}", "--filter", f"name={NAME}-staging").splitlines():
        os.kill(int(docker.say("inspect", "--format", "{{.State.Pid}}", name)), 9)

    def answers() -> bool:
        try:
            return version(url) == made.id
        except OSError:
            return False

    until(answers)
    until(lambda: look(place).word == "running")


def test_a_removed_gateway_is_dead_until_a_deployment(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    docker.run("rm", "--force", f"{NAME}-staging-gateway")

    assert look(place).word == "dead"
    deploy.run(place.root, "staging")

    assert version(url) == made.id


def test_no_release_answers_503(place: Project) -> None:
    url = str(deploy.run(place.root, "staging").url)

    with pytest.raises(urllib.error.HTTPError) as refused:
        version(url)

    assert json.loads(refused.value.read()) == {"error": "no release is pinned here"}
    assert look(place).word == "no release"


def test_an_environment_moves_to_local_and_back(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)
    deploy.run(place.root, "staging")

    for target in ("local", "docker"):
        said = retarget.run(place.root, "staging", target)

        assert target in said
        assert look(place).running == made.id


@pytest.mark.parametrize(
    ("environment", "target", "words"),
    [
        ("staging", "docker", "already"),
        ("staging", "mainframe", "there is no target"),
        ("dev", "docker", "always local"),
    ],
)
def test_refuses_a_move_that_makes_no_sense(place: Project, environment: str, target: str, words: str) -> None:
    with pytest.raises(Usage, match=words):
        retarget.run(place.root, environment, target)
