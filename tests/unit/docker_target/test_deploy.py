"""Deployments of real releases on a real engine, under steady requests."""

import json
import time
import urllib.error
from pathlib import Path

import pytest

from mergeline import events
from mergeline.errors import DeploymentFailed
from mergeline.release import build, deploy, promotion, retarget, terraform
from tests.tooling.docker import Docker
from tests.tooling.load import Load
from tests.tools import until
from tests.unit import experiments
from tests.unit.docker_target.staging import (
    containers,
    docker,
    gateway,
    image,
    look,
    owned,
    pin,
    place,
    providers,
    version,
)
from tests.unit.project import NAME, Project

__all__ = ["docker", "gateway", "place", "providers"]

pytestmark = pytest.mark.slow


def test_a_release_runs_and_a_second_plan_is_empty(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)

    done = deploy.run(place.root, "staging")

    assert done.rows > 0
    assert version(str(done.url)) == made.id
    assert terraform.plan(place.root, "staging").actions == []
    assert look(place).word == "running"


def test_a_container_has_no_right_that_it_does_not_need(place: Project, docker: Docker) -> None:
    release = pin(place, docker, 2)
    deploy.run(place.root, "staging")

    names = [name for name in owned(docker) if docker.run("container", "inspect", name, check=False).returncode == 0]
    found = {one["Name"]: one for one in json.loads(docker.say("container", "inspect", *names))}

    assert len(found) == 3
    for name, one in found.items():
        host = one["HostConfig"]
        serves = "gateway" not in name
        assert one["Config"]["User"] == ("10001:10001" if serves else "99:99")
        assert one["Config"]["Image"].startswith("sha256:")
        assert (one["Config"]["Image"] == release.image) == serves
        assert host["ReadonlyRootfs"]
        assert not host["Privileged"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert bool(host["Memory"]) == serves
        assert ("ORT_DISABLE_TELEMETRY=1" in one["Config"]["Env"]) == serves
        assert bool(one["NetworkSettings"]["Ports"].get("8080/tcp")) == (not serves)
        assert [*one["NetworkSettings"]["Networks"]] == [f"{NAME}-staging-servers"] or not serves
    assert json.loads(docker.say("network", "inspect", f"{NAME}-staging-servers"))[0]["Internal"]


def test_a_switch_and_a_rolling_way_back_lose_nothing(place: Project, docker: Docker) -> None:
    variables = place.root / "infra/environments/staging/terraform.tfvars"
    first = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    second = pin(place, docker, 3)
    with Load(url) as load:
        deploy.run(place.root, "staging")
        switched = time.monotonic()
        time.sleep(1)
        back = time.monotonic()
        variables.write_text(variables.read_text() + 'strategy = "rolling"\n')
        place.commit("Choose a strategy")
        promotion.rollback(place.root, "staging", to=None, reason="test", pull_request=False)
        deploy.run(place.root, "staging")
        returned = time.monotonic()
        time.sleep(1)

    assert load.failed == []
    assert load.wrong(second.id, switched, back) == 0
    assert load.wrong(first.id, returned) == 0
    assert len(load.answers) > 200
    assert terraform.plan(place.root, "staging").actions == []


def logged(docker: Docker, at: Path) -> set[tuple[str | None, str]]:
    """Give the releases and arms in what the servers' containers said on standard output."""
    servers = [name for name in containers(docker) if "gateway" not in name]
    at.write_text("".join(docker.run("logs", name).stdout for name in servers))
    return {(event.release, event.arm) for event in events.read(at)}


def test_an_experiment_answers_beside_the_pinned_release_until_it_is_stopped(
    place: Project, docker: Docker, tmp_path: Path
) -> None:
    variables = place.root / "infra/environments/staging/terraform.tfvars"
    variables.write_text(variables.read_text() + 'env = { MERGELINE_PREDICTION_LOG = "-" }\n')
    place.commit("Log what is answered")
    pinned = pin(place, docker, 2)
    other = build.run(place.root, image=image(place, docker, 3)).release
    experiments.start(place, other)

    url = str(deploy.run(place.root, "staging").url)

    assert experiments.answering(url, place) == {pinned.id, other.id}
    assert terraform.plan(place.root, "staging").actions == []
    volume = f"{NAME}-staging-bundle-{other.model.bundle_id[:12]}"
    docker.run("rm", "--force", *(name for name in containers(docker) if "gateway" not in name))
    docker.run("volume", "rm", volume)
    deploy.run(place.root, "staging")
    assert experiments.answering(url, place) == {pinned.id, other.id}
    assert volume in owned(docker)
    until(lambda: logged(docker, tmp_path / "log") == {(pinned.id, "pinned"), (other.id, "ab")})
    experiments.stop(place)
    deploy.run(place.root, "staging")
    assert experiments.answering(url, place) == {pinned.id}
    assert not [name for name in owned(docker) if "bundle" in name]


def test_an_image_that_does_not_exist_leaves_the_old_release(place: Project, docker: Docker) -> None:
    first = pin(place, docker, 2)
    url = str(deploy.run(place.root, "staging").url)
    place.train(3)
    build.run(place.root, image=f"sha256:{'0' * 64}")
    promotion.promote(place.root, "staging", release=None, pull_request=False)

    with Load(url) as load, pytest.raises(DeploymentFailed, match="rolled back"):
        deploy.run(place.root, "staging")

    assert load.failed == []
    assert load.wrong(first.id, 0) == 0


def refusal(url: str) -> dict[str, str] | None:
    """Give what a gateway without servers answers; None while it does not."""
    try:
        version(url)
    except urllib.error.HTTPError as refused:
        with refused:
            return dict(json.loads(refused.read()))
    except OSError:
        pass
    return None


def test_no_release_answers_503_and_a_destroyed_environment_leaves_nothing(place: Project, docker: Docker) -> None:
    url = str(deploy.run(place.root, "staging").url)

    until(lambda: refusal(url) is not None)  # the gateway may still be starting: without a release nothing waits for it
    assert refusal(url) == {"error": "no release is pinned here"}
    assert look(place).word == "no release"
    deploy.destroy(place.root, "staging")
    assert owned(docker) == []


def test_an_environment_moves_to_local_and_back(place: Project, docker: Docker) -> None:
    made = pin(place, docker, 2)
    deploy.run(place.root, "staging")

    said = retarget.run(place.root, "staging", "local")

    assert "from docker to local" in said
    assert owned(docker) == []
    assert look(place).running == made.id
    assert "from local to docker" in retarget.run(place.root, "staging", "docker")
    assert look(place).running == made.id
    assert place.git("status", "--porcelain") == ""
