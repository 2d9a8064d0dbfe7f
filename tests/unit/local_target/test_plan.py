"""What a pull request shows of a deployment, and that nothing else is applied."""

import json
from pathlib import Path

import pytest

from mergeline.errors import Conflict, Integrity, Usage
from mergeline.release import deploy, plan, status
from mergeline.release.planned import Plan
from tests.local_forge.api import GitHubAPI
from tests.unit.local_target.conftest import release
from tests.unit.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def proposed(place: Project, api: GitHubAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A pull request that pins a release in staging; this process is a run of it."""
    place.git("switch", "--quiet", "--create", "pin")
    release(place, 1)
    place.git("push", "--quiet", "origin", "pin")
    number = api.open("pin")
    (tmp_path / "event.json").write_text(json.dumps(api.event(number)))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    return number


def show(place: Project) -> Plan:
    """Plan what differs from main, and post it as deploy.yml does."""
    folder = place.root.parent / "plans"
    (made,) = plan.keep(place.root, "main", folder)
    assert made.environment == "staging"
    plan.post(place.root, folder)
    return made


def merge(place: Project, api: GitHubAPI, number: int) -> None:
    """Merge it and take main as it is then."""
    api.merge(number)
    place.git("switch", "--quiet", "main")
    place.git("pull", "--quiet", "origin", "main")


def test_equal_changes_have_equal_digests(place: Project) -> None:
    release(place, 1)
    one, again = (plan.run(place.root, "staging") for _ in range(2))
    release(place, 2)

    assert one.digest == again.digest
    assert plan.run(place.root, "staging").digest != one.digest


def test_a_plan_is_one_comment_that_the_next_plan_replaces(place: Project, api: GitHubAPI, proposed: int) -> None:
    first, again = show(place), show(place)

    (comment,) = api.comments
    assert comment["issue"] == proposed
    assert first == again
    assert f"Release none → {place.pinned('staging')[:12]}" in comment["body"]  # type: ignore[index]
    assert first.digest[:16] in comment["body"]


def test_a_plan_that_no_pull_request_asked_for_has_nowhere_to_be_posted(place: Project) -> None:
    with pytest.raises(Usage, match="no pull request"):
        plan.post(place.root, place.root.parent)


def test_a_change_of_a_module_is_planned_in_every_environment(place: Project, tmp_path: Path) -> None:
    module = place.root / "infra/modules/service/local/main.tf"
    module.write_text(module.read_text() + "# a note\n")
    place.commit("Note it")

    made = plan.keep(place.root, "HEAD^", tmp_path)

    assert [one.environment for one in made] == ["dev", "staging", "production"]
    assert sorted(file.name for file in tmp_path.glob("*.json")) == ["dev.json", "production.json", "staging.json"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"digest": "0" * 64}, "the digest is not that of the plan"),
        ({"pinned": "1" * 64}, "the digest is not that of the plan"),
        ({"environment": "elsewhere"}, "there is no environment elsewhere"),
        ({"actions": [{"address": "a`\n# Nothing to see", "action": "create"}]}, "address"),
        ({"verdict": "better](https://example.test)"}, "verdict"),
        ({"size": {"replicas": {}, "cpu": 1, "memory_mb": 512}}, "min"),
    ],
)
@pytest.mark.usefixtures("proposed")
def test_a_plan_that_a_pull_request_made_up_is_not_posted(
    place: Project, api: GitHubAPI, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    plan.keep(place.root, "main", tmp_path / "plans")
    file = tmp_path / "plans/staging.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    with pytest.raises(Integrity, match=f"^staging.json holds no plan: .*{reason}"):
        plan.post(place.root, tmp_path / "plans")
    assert api.comments == []


def test_what_the_pull_request_shows_is_applied(place: Project, api: GitHubAPI, proposed: int) -> None:
    show(place)
    merge(place, api, proposed)

    done = deploy.run(place.root, "staging")

    assert done.planned == f"as planned in pull request #{proposed}"
    assert status.look(place.root, "staging").word == "running"


def test_another_plan_than_the_shown_one_is_refused_and_applied_only_by_its_digest(
    place: Project, api: GitHubAPI, proposed: int
) -> None:
    show(place)
    place.git("switch", "--quiet", "main")
    deploy.run(place.root, "staging")  # so that the merge will update what the pull request says it creates
    merge(place, api, proposed)

    with pytest.raises(Conflict, match=f"#{proposed} shows the plan .* nothing was applied") as refused:
        deploy.run(place.root, "staging")

    assert "\n" not in str(refused.value)
    assert status.look(place.root, "staging").word == "pending"
    assert [s for s in api.statuses if s["sha"] == api.commit("main")] == []
    with pytest.raises(Conflict):
        deploy.run(place.root, "staging", digest="0" * 16)
    digest = plan.run(place.root, "staging").digest[:16]
    assert f"--digest {digest}" in str(refused.value)
    assert digest in deploy.run(place.root, "staging", digest=digest).planned


def test_what_was_deployed_as_shown_can_be_deployed_again(place: Project, api: GitHubAPI, proposed: int) -> None:
    show(place)
    merge(place, api, proposed)
    deploy.run(place.root, "staging")
    deploy.destroy(place.root, "staging")

    assert "was deployed before" in deploy.run(place.root, "staging").planned


def test_a_plan_that_somebody_else_writes_counts_for_nothing(place: Project, api: GitHubAPI, proposed: int) -> None:
    shown = show(place)
    (comment,) = api.comments
    comment["user"]["login"] = "mallory"
    merge(place, api, proposed)

    assert shown.digest[:16] in comment["body"]
    assert f"#{proposed} shows no plan of staging" in deploy.run(place.root, "staging").planned


@pytest.mark.usefixtures("api")
def test_where_nothing_was_shown_it_says_so_and_goes_on(place: Project) -> None:
    release(place, 1)
    place.git("push", "--quiet", "origin", "main")

    done = deploy.run(place.root, "staging")

    assert "came by no pull request" in done.planned
    assert done.planned in str(done.table())


def test_where_there_is_no_forge_it_says_so_and_goes_on(place: Project) -> None:
    release(place, 1)

    assert "no forge is connected" in deploy.run(place.root, "staging", rehearse=True).planned


def test_a_plan_says_what_the_environment_asks_for_before_and_after(place: Project) -> None:
    release(place, 1)
    first = plan.run(place.root, "staging").markdown()
    deploy.run(place.root, "staging")
    again = plan.run(place.root, "staging").markdown()
    values = place.root / "infra/environments/staging/terraform.tfvars"
    values.write_text(values.read_text() + "replicas = { min = 2, max = 4 }\nmemory_mb = 1000\n")
    grown = plan.run(place.root, "staging").markdown()

    assert "It will ask for 1 server, 1 core and 512 MB in all." in first
    assert "It asks for 1 server, 1 core and 512 MB in all, as before." in again
    assert (
        "It asks for 1 server, 1 core and 512 MB in all, and will ask for 2 to 4 servers, 2 to 4 cores "
        "and 2,000 to 4,000 MB in all."
    ) in grown
