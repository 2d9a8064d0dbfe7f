"""Whether a deployment is due: what git asks for now was never deployed with success."""

from pathlib import Path

import pytest

from mergeline.errors import DeploymentFailed, Integrity
from mergeline.release import deploy, pins, records, smoke
from mergeline.release.deploy import Deployed, Standing
from tests.local_forge.api import GitHubAPI
from tests.unit.local_target.conftest import release
from tests.unit.project import Project

pytestmark = pytest.mark.slow


def due(place: Project, **more: bool) -> bool:
    """Deploy staging where that is due; say whether it was."""
    return isinstance(deploy.due(place.root, "staging", **more), Deployed)  # type: ignore[arg-type]


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line)


def test_what_stands_is_deployed_again_only_when_pin_folder_or_modules_change(place: Project) -> None:
    release(place, 1)
    assert due(place)
    assert not due(place)

    place.commit("Write docs")
    append(place.pin("production").with_name("terraform.tfvars"), "# another environment's\n")
    place.commit("Change production")
    assert not due(place)

    append(place.pin("staging").with_name("terraform.tfvars"), "# ours\n")
    place.commit("Change staging")
    assert due(place)

    append(place.root / "infra/modules/service/local/main.tf", "# every environment's\n")
    place.commit("Change the module")
    assert due(place)

    release(place, 2)
    assert due(place)
    assert not due(place)


def test_an_environment_without_a_release_is_made_once(place: Project) -> None:
    assert due(place)
    assert not due(place)


def test_a_deployment_that_failed_is_due(place: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    release(place, 1)

    def off(*_: object, **__: object) -> int:
        raise DeploymentFailed("an answer is off")

    with monkeypatch.context() as broken:
        broken.setattr(smoke, "check", off)
        with pytest.raises(DeploymentFailed):
            due(place)

    assert due(place)


def test_a_rehearsal_stands_where_the_next_one_would_be_a_rehearsal_too(place: Project) -> None:
    release(place, 1)
    assert due(place, rehearse=True)
    assert not due(place, rehearse=True)
    assert due(place), "this machine stays, and nothing was left running"


def test_a_merged_pin_has_its_record_on_the_merge_and_for_the_ledger_on_itself(place: Project, api: GitHubAPI) -> None:
    place.git("switch", "--quiet", "--create", "pin")
    release(place, 1)
    place.git("push", "--quiet", "origin", "pin")
    merged = api.merge(api.open("pin"))
    place.git("switch", "--quiet", "main")
    place.git("pull", "--quiet", "origin", "main")

    assert due(place)

    assert {s["sha"] for s in api.statuses} == {merged, pins.commit_of(place.root, "staging")}
    stands = deploy.due(place.root, "staging")
    assert isinstance(stands, Standing)
    assert stands.commit == merged
    assert "3 answers as tested" in stands.table()


def test_a_merge_that_brings_an_old_pin_back_is_due(place: Project) -> None:
    assert due(place)
    place.git("switch", "--quiet", "--create", "old")
    place.commit("Write docs")
    place.git("switch", "--quiet", "main")
    release(place, 1)
    assert due(place)

    place.git("merge", "--quiet", "--no-ff", "--no-commit", "old")
    place.git("checkout", "old", "--", "infra/environments/staging/pin.json")
    place.commit("Merge old, whose pin was deployed once")

    assert place.git("rev-list", "--parents", "-1", "HEAD").count(" ") == 2
    assert place.pinned("staging") is None
    assert due(place)


def test_a_workflow_is_told_what_happened(place: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    due(place)
    due(place)

    assert (tmp_path / "outputs").read_text() == "deployed=true\ndeployed=false\n"


def test_a_record_of_another_environment_says_nothing(place: Project) -> None:
    due(place)
    commit = place.git("rev-parse", "HEAD")
    other = records.Deployment(environment="dev", release=None, state="failure", description="", created=records.now())
    records.write(place.root, commit, other)

    assert not due(place)


def test_a_pin_that_was_edited_by_hand_is_refused_as_ever(place: Project) -> None:
    release(place, 1)
    pin = place.pin("staging")
    pin.write_text(pin.read_text().replace('"rows": 12', '"rows": 13'))
    place.commit("By hand")

    with pytest.raises(Integrity):
        due(place)
