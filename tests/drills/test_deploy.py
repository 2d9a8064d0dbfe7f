"""What goes wrong with a deployment: the release before, or the pinned one, answers all the while."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline.errors import Conflict, DeploymentFailed, Integrity, Usage
from mergeline.release import deploy, promotion, reconcile, status
from tests.drills.conftest import Drill
from tests.drills.hands import Hands
from tests.tools import until, without

pytestmark = pytest.mark.slow


def start(drill: Drill) -> "subprocess.Popen[str]":
    """Start `model deploy staging` as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "mergeline.cli", "deploy", "staging"],
        cwd=drill.root,
        env={**os.environ, "PYTHONPATH": str(drill.root / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def fill(file: Path) -> None:
    """Write until the disk takes no more."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(b"0" * 4096)


def test_a_pin_whose_hash_is_wrong_is_refused(drill: Drill) -> None:
    drill.pin(2)
    pin = drill.project.pin("staging")
    pin.write_text(pin.read_text().replace('"rows": 12', '"rows": 13'))
    drill.project.commit("Edit the pin by hand")

    with pytest.raises(Integrity, match="the content has id"):
        drill.deploy()
    drill.serves(drill.first)
    assert drill.told()[-1][0] == "broken"


def test_a_release_that_never_ran_in_staging_is_not_promoted(drill: Drill) -> None:
    drill.pin(2)

    with pytest.raises(Conflict, match=r"no record says .* ran in staging\. Run `model deploy staging`"):
        promotion.promote(drill.root, "production", release=None, pull_request=False)
    assert drill.project.pinned("production") is None


def test_a_bundle_that_fails_its_smoke_test_is_taken_back(drill: Drill) -> None:
    bad = drill.hands.pin_broken()
    drill.traffic.right |= {bad.id}

    with pytest.raises(DeploymentFailed, match="runs again"):
        drill.deploy()
    drill.serves(drill.first)
    assert drill.told() == [("promoted", "success"), ("promoted", "failure")]


def test_a_deployment_that_is_killed_is_finished_by_the_next_one(drill: Drill) -> None:
    second = drill.pin(2)
    killed = start(drill)
    until(drill.hands.under_way)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert status.look(drill.root, "staging").running in {drill.first.id, second.id}

    drill.deploy()
    drill.serves(second)
    assert drill.told()[-1] == ("promoted", "success")


def test_of_two_deployments_at_once_one_is_refused(drill: Drill) -> None:
    second = drill.pin(2)
    other = start(drill)
    until(drill.hands.under_way)

    with pytest.raises(Conflict, match="a deployment of staging is under way"):
        drill.deploy()
    said, _ = other.communicate(timeout=60)
    assert other.returncode == 0, said
    drill.serves(second)


def test_a_lost_state_is_taken_over(drill: Drill) -> None:
    drill.hands.lose_state()

    reconcile.run(drill.root, "staging")
    drill.serves(drill.first)
    assert status.look(drill.root, "staging").word == "running"


def test_a_server_that_is_killed_by_hand_is_back_at_once(drill: Drill) -> None:
    back = drill.hands.kill_server()

    until(back)
    drill.serves(drill.first)


def test_a_change_of_the_infrastructure_is_applied_without_a_gap(drill: Drill) -> None:
    drill.hands.change()
    assert status.look(drill.root, "staging").word == "drifted"

    reconcile.run(drill.root, "staging")
    drill.serves(drill.first)
    assert status.look(drill.root, "staging").word == "running"


def test_a_rollback_while_a_rollout_is_on_waits_for_it(drill: Drill) -> None:
    drill.pin(2)
    rollout = start(drill)
    until(drill.hands.under_way)
    drill.back()

    with pytest.raises(Conflict, match="under way"):
        drill.deploy()
    rollout.communicate(timeout=60)
    drill.deploy()
    drill.serves(drill.first)
    assert [done for done, _ in drill.told()] == ["promoted", "promoted", "rolled back"]


def test_a_rollback_of_a_rollback_serves_the_second_again(drill: Drill) -> None:
    second = drill.pin(2)
    drill.deploy()
    drill.back()
    drill.deploy()
    drill.serves(drill.first)
    drill.traffic.right |= {second.id}
    promotion.rollback(drill.root, "staging", to=second.id, reason="it was not its fault", pull_request=False)
    drill.deploy()
    drill.serves(second)
    assert drill.told() == [("promoted", "success"), ("promoted", "success"), *[("rolled back", "success")] * 2]


def test_without_a_release_before_there_is_none_to_go_back_to(drill: Drill) -> None:
    with pytest.raises(Usage, match="no earlier release to go back to"):
        drill.back()
    drill.serves(drill.first)


def test_a_first_release_that_fails_leaves_nothing_running(hands: Hands) -> None:
    hands.pin_broken()

    with pytest.raises(DeploymentFailed, match="nothing is left running"):
        deploy.run(hands.project.root, "staging")
    assert status.look(hands.project.root, "staging").word == "not deployed"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system for the state folder."""
    folder = tmp_path / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        without("this user may mount no file system of limited size")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_stops_a_deployment_and_the_next_one_makes_up_for_it(disk: Path, drill: Drill) -> None:
    second = drill.pin(2)
    filler = disk / "filler"
    fill(filler)

    failed = start(drill)
    said, _ = failed.communicate(timeout=60)
    assert failed.returncode not in (0, 1), said
    assert len(said.strip().splitlines()) == 1, said
    drill.serves(drill.first)

    filler.unlink()
    drill.traffic.right |= {second.id}
    drill.deploy()
    drill.serves(second)
