"""What hands and power cuts do to an environment in a real cluster, and how the next deployment brings it back."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from mergeline.errors import Conflict
from mergeline.release import deploy, reconcile, smoke, terraform
from tests.tooling.load import Load
from tests.tools import until
from tests.unit.kubernetes_target.conftest import SPACE, Place
from tests.unit.project import TEMPLATE

pytestmark = pytest.mark.slow


def begin(place: Place) -> "subprocess.Popen[bytes]":
    """Start `model deploy staging`, and wait until it makes the servers of the pinned release."""
    before = len(place.objects("deployments"))
    started = subprocess.Popen(
        [sys.executable, "-m", "mergeline.cli", "deploy", "staging"],
        cwd=place.root,
        env={**os.environ, "PYTHONPATH": str(TEMPLATE / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: len(place.objects("deployments")) > before, 60)
    return started


def test_what_was_killed_changed_or_removed_is_healed(place: Place) -> None:
    made = place.pin(2)
    deploy.run(place.root, "staging")
    (name,) = place.objects("deployments")
    for pod in place.objects("pods"):
        place.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
    until(lambda: len(place.cluster.pod_addresses(f"mergeline.environment={SPACE}", SPACE)) == 2, 60)
    until(lambda: place.look().word == "running", 30)
    damages: dict[str, Callable[[], object]] = {
        "another variable": lambda: place.kubectl("set", "env", f"deployment/{name}", "MERGELINE_RELEASE=other"),
        "no server": lambda: place.kubectl("scale", f"deployment/{name}", "--replicas=0"),
        "no deployment": lambda: place.kubectl("delete", f"deployment/{name}"),
        "no service": lambda: place.kubectl("delete", f"service/{SPACE}"),
        "no state": place.lose_state,
        "no autoscaler": lambda: place.kubectl("delete", f"hpa/{name}"),
    }
    for damage, done in damages.items():
        done()
        until(lambda: place.look().word in ("drifted", "dead", "pending"), 60)

        reconcile.run(place.root, "staging")

        assert smoke.version(place.url)["release"] == made.id, damage
        assert terraform.plan(place.root, "staging").actions == [], damage
        assert place.look().word == "running", damage


def test_a_killed_deployment_is_made_up_for_by_the_next(place: Place) -> None:
    first = place.pin(2)
    deploy.run(place.root, "staging")
    second = place.pin(3)
    with Load(place.url) as load:
        killed = begin(place)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        assert place.locked()

        deploy.run(place.root, "staging")

    assert load.failed == []
    assert {found for _, found in load.answers} == {first.id, second.id}
    assert smoke.version(place.url)["release"] == second.id
    assert terraform.plan(place.root, "staging").actions == []
    assert not place.locked()


@pytest.mark.nightly
def test_what_a_killed_deployment_made_goes_though_another_release_follows(place: Place) -> None:
    place.pin(2)
    deploy.run(place.root, "staging")
    place.pin(3)
    killed = begin(place)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(place.objects("deployments")) == 2

    place.write(env={"GREETING": "hello"})
    deploy.run(place.root, "staging")

    assert len(place.objects("deployments")) == 1
    assert len(place.objects("hpa")) == 1
    assert terraform.plan(place.root, "staging").actions == []


@pytest.mark.nightly
def test_two_at_once_are_refused_by_the_lock(place: Place) -> None:
    deploy.run(place.root, "staging")
    made = place.pin(2)
    first = begin(place)

    with pytest.raises(Conflict, match="another Terraform run"):
        terraform.apply(place.root, "staging")
    with pytest.raises(Conflict, match="a deployment of staging is under way"):
        deploy.run(place.root, "staging")

    assert first.wait(120) == 0
    assert place.look().running == made.id
