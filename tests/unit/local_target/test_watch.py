"""A deployed release is watched: one that fails a minute after its smoke test is taken back too."""

import os
import signal
import threading
import time

import pytest

from mergeline import state
from mergeline.errors import DeploymentFailed
from mergeline.release import deploy, terraform, watch
from tests.unit.local_target.conftest import release
from tests.unit.project import Project
from tools.caller import Caller

pytestmark = pytest.mark.slow


def watched(project: Project, minutes: float) -> None:
    """Commit for how long a new release is watched."""
    with (project.root / "gates.yaml").open("a") as gates:
        gates.write(f"promotion: {{watch_minutes: {minutes}}}\n")
    project.commit("Watch for another time")


def test_a_release_that_dies_while_it_is_watched_is_taken_back(
    place: Project, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 1.0)
    watched(place, 1)
    good = release(place, 1)
    deploy.run(place.root, "staging")
    bad = release(place, 2)
    run = terraform.folder(place.root, "staging") / "run"

    def kill() -> None:
        while state.supervisor(run).get("release") != bad.id:
            time.sleep(0.05)
        time.sleep(2)
        found = state.supervisor(run)
        for pid in (found["pid"], *(worker["pid"] for worker in found["workers"])):
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DeploymentFailed, match=rf"passed its smoke test, and \d+ s later .* {good.id[:12]} runs again"):
        deploy.run(place.root, "staging", watch=True)
    killer.join()

    assert Caller(port).version() == good.id


def test_a_release_that_stays_well_is_tested_until_the_time_is_over(place: Project) -> None:
    watched(place, 0.02)
    release(place, 1)

    done = deploy.run(place.root, "staging", watch=True)

    assert "3 answers as tested, watched for 0.02 min" in str(done.table())


def test_what_is_destroyed_at_once_is_not_watched(place: Project) -> None:
    release(place, 1)

    assert deploy.run(place.root, "staging", rehearse=True, watch=True).watched == 0
