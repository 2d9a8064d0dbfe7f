"""What git says against what runs: found, told in one issue, and healed by one command."""

import os
import signal
from pathlib import Path

import pytest

from mergeline import state
from mergeline.errors import DeploymentFailed, Usage
from mergeline.release import deploy, reconcile, status, terraform
from tests.local_forge.api import GitHubAPI
from tests.tools import until
from tests.unit.local_target.conftest import break_answers, release
from tests.unit.project import Project
from tools.caller import Caller

pytestmark = pytest.mark.slow


def run_folder(project: Project) -> Path:
    return terraform.folder(project.root, "staging") / "run"


def kill_supervisor(project: Project) -> None:
    os.kill(state.supervisor(run_folder(project))["pid"], signal.SIGKILL)
    until(lambda: status.look(project.root, "staging").word != "running")


def lose_state(project: Project) -> None:
    for file in terraform.folder(project.root, "staging").glob("terraform.tfstate*"):
        file.unlink()


def more_servers(project: Project) -> None:
    values = project.root / "infra/environments/staging/terraform.tfvars"
    values.write_text(values.read_text() + "replicas = { min = 2, max = 2 }\n")
    project.commit("Run two servers")


@pytest.mark.parametrize(
    ("happens", "word"), [(kill_supervisor, "dead"), (lose_state, "drifted"), (more_servers, "drifted")]
)
def test_what_happened_to_an_environment_is_found_and_healed(
    place: Project, port: int, happens: object, word: str
) -> None:
    made = release(place, 1)
    deploy.run(place.root, "staging")
    assert reconcile.differences(status.run(place.root)) == []
    happens(place)  # type: ignore[operator]

    found = status.run(place.root)
    (said,) = reconcile.run(place.root, "staging")

    assert [e.word for e in found.environments if e.name == "staging"] == [word]
    assert f"release {made.id[:12]} runs" in said
    assert Caller(port).version() == made.id
    assert reconcile.differences(status.run(place.root)) == []
    assert reconcile.run(place.root, "staging") == ["staging: running"]


def test_a_number_of_servers_that_git_asks_for_runs_after_it(place: Project) -> None:
    release(place, 1)
    deploy.run(place.root, "staging")
    more_servers(place)

    reconcile.run(place.root, None)

    assert [w["state"] for w in state.supervisor(run_folder(place))["workers"]].count("ready") == 2


def test_without_terraforms_state_a_release_that_fails_leaves_the_one_that_runs(place: Project, port: int) -> None:
    good = release(place, 1)
    deploy.run(place.root, "staging")
    lose_state(place)
    break_answers(place)

    with pytest.raises(DeploymentFailed, match=f"{good.id[:12]} runs again"):
        deploy.run(place.root, "staging")

    assert Caller(port).version() == good.id


def test_a_release_that_failed_is_not_deployed_again_but_told(place: Project) -> None:
    release(place, 1)
    deploy.run(place.root, "staging")
    break_answers(place)
    with pytest.raises(DeploymentFailed):
        deploy.run(place.root, "staging")

    assert reconcile.run(place.root, "staging") == [
        "staging: rolled back; `model rollback staging`, or pin a release that works"
    ]


def test_one_issue_says_what_differs_and_closes_when_nothing_does(place: Project, api: GitHubAPI) -> None:
    reconcile.report(place.root, ["**staging** is dead: its supervisor is dead (`model reconcile staging`)"])
    again = reconcile.report(place.root, ["**staging** is dead", "**MLflow**: another version"])
    closed = reconcile.report(place.root, [])

    (issue,) = api.issues.values()
    assert again == f"Issue #{issue['number']} says what differs."
    assert "- **MLflow**: another version" in issue["body"]
    assert closed == f"Issue #{issue['number']} is closed: nothing differs."
    assert issue["state"] == "closed"
    assert reconcile.report(place.root, []) == "Nothing differs."


def test_without_a_forge_there_is_nowhere_to_tell_it(place: Project) -> None:
    with pytest.raises(Usage, match="no forge to open an issue on"):
        reconcile.report(place.root, ["it differs"])
