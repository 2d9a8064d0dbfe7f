"""What hands and power cuts do to an environment on a real engine, and how the next deployment brings it back."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mergeline.errors import Conflict
from mergeline.release import deploy, reconcile, terraform
from tests.tooling.docker import Docker
from tests.tooling.load import Load
from tests.tools import until
from tests.unit.docker_target.staging import (
    GATEWAY,
    containers,
    docker,
    gateway,
    look,
    owned,
    pin,
    place,
    providers,
    version,
)
from tests.unit.project import NAME, TEMPLATE, Project

__all__ = ["docker", "gateway", "place", "providers"]

pytestmark = pytest.mark.slow


def answers(url: str, release: str) -> bool:
    try:
        return version(url) == release
    except OSError:
        return False


def test_killed_processes_come_back_by_themselves(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    for name in containers(docker):
        os.kill(int(docker.say("inspect", "--format", "{{.State.Pid}}", name)), signal.SIGKILL)

    until(lambda: answers(url, made.id))
    until(lambda: look(place).word == "running")


def test_what_was_stopped_removed_or_forgotten_is_healed(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    server = next(name for name in containers(docker) if name != GATEWAY)
    address = f'module.service.docker_container.server["{server.removeprefix(f"{NAME}-staging-{made.id[:8]}-")}"]'
    damages: dict[str, Callable[[], object]] = {
        "a stopped server": lambda: docker.run("stop", server),
        "a removed server": lambda: docker.run("rm", "--force", server),
        "a server that the state does not know": lambda: terraform._say(place.root, "staging", "state", "rm", address),
        "a removed gateway": lambda: docker.run("rm", "--force", GATEWAY),
        "a removed gateway and its volume": lambda: (
            docker.run("rm", "--force", GATEWAY),
            docker.run("volume", "rm", GATEWAY),
        ),
    }
    for damage, done in damages.items():
        done()
        assert look(place).word in ("drifted", "dead"), damage

        reconcile.run(place.root, "staging")

        assert version(url) == made.id, damage
        assert terraform.plan(place.root, "staging").actions == [], damage
        assert look(place).word == "running", damage
        assert len(containers(docker)) == 3, damage


def test_a_killed_deployment_is_made_up_for_by_the_next(place: Project, docker: Docker) -> None:
    first = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    second = pin(place, docker, 3)
    with Load(url) as load:
        killed = subprocess.Popen(
            [sys.executable, "-m", "mergeline.cli", "deploy", "staging"],
            cwd=place.root,
            env={**os.environ, "PYTHONPATH": str(TEMPLATE / "src")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(lambda: any(second.id[:8] in name for name in containers(docker)))
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()

        deploy.run(place.root, "staging")

    assert load.failed == []
    assert {found for _, found in load.answers} == {first.id, second.id}
    assert version(url) == second.id
    assert terraform.plan(place.root, "staging").actions == []
    assert len(containers(docker)) == 3


def test_a_port_that_somebody_has_is_refused_with_the_name(place: Project, docker: Docker, gateway: str) -> None:
    port = int((place.root / "infra/environments/staging/terraform.tfvars").read_text().split("port = ")[1].split()[0])
    words = rf"port {port} is taken by .*\(pid {os.getpid()}\)"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Conflict, match=words):
        deploy.run(place.root, "staging")
    stranger = docker.say(
        "run", "--detach", "--rm", "--publish", f"127.0.0.1:{port}:80", "--name", "stranger", gateway, "sleep", "60"
    )
    try:
        with pytest.raises(Conflict, match=f"port {port} is taken by the container stranger"):
            deploy.run(place.root, "staging")
    finally:
        docker.run("rm", "--force", stranger)

    assert owned(docker) == []


def test_an_environment_with_another_state_is_left_alone_until_it_is_taken_over(
    place: Project, docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    second = pin(place, docker, 3)
    with monkeypatch.context() as elsewhere, Load(url) as load:
        elsewhere.setenv("MERGELINE_STATE", str(tmp_path / "elsewhere"))

        with pytest.raises(
            Conflict, match=r"the state in .* knows nothing of it\..*`model reconcile staging` takes over"
        ):
            deploy.run(place.root, "staging")
        assert version(url) == first.id
        reconcile.run(place.root, "staging")
        assert version(url) == second.id
        assert look(place).word == "running"

    assert load.failed == []
    assert len(containers(docker)) == 3
    with pytest.raises(Conflict, match="was deployed from elsewhere since the state in"):
        deploy.run(place.root, "staging")
    assert version(url) == second.id
    (terraform.folder(place.root, "staging") / terraform.STATE).unlink()
    reconcile.run(place.root, "staging")
    assert terraform.plan(place.root, "staging").actions == []
