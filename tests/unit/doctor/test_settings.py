"""What .github/repository.yml asks of GitHub is shown where it differs, and set by an administrator."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from mergeline import doctor
from mergeline.doctor import settings
from mergeline.doctor.finding import Finding
from mergeline.errors import BadSettings, ForgeTrouble, Usage
from tests.local_forge.api import GitHubAPI
from tests.unit.doctor.test_hosting import PERMISSIONS, api, project
from tests.unit.project import TEMPLATE, Project

pytestmark = pytest.mark.slow

__all__ = ["api", "project"]


@pytest.fixture
def file(project: Project) -> Path:
    """The file as it is generated."""
    (project.root / ".github").mkdir()
    return Path(shutil.copy(TEMPLATE / settings.FILE, project.root / settings.FILE))


def said(project: Project) -> list[str]:
    return words(settings.settings(project.root))


def words(found: Iterable[Finding]) -> list[str]:
    return [f"{one.level} {one.says}" for one in found]


def replace(file: Path, old: str, new: str) -> None:
    content = file.read_text()
    assert old in content
    file.write_text(content.replace(old, new))


@pytest.mark.usefixtures("file")
def test_what_differs_is_shown_until_it_is_set(project: Project, api: GitHubAPI) -> None:
    api.may_open_pull_requests = False
    assert said(project) == [
        "warn main requires: check-pass, verdict-pass is asked for, nobody and nothing is set",
        "warn owners of what CODEOWNERS lists must approve: yes is asked for, no is set",
        "warn Actions open pull requests: yes is asked for, no is set",
    ]

    done = settings.apply(project.root)

    assert [(found.level, found.what) for found in done] == [("ok", "set")] * 3
    assert said(project) == ["ok as .github/repository.yml asks"]
    (ruleset,) = api.rulesets.values()
    assert ruleset["conditions"]["ref_name"]["include"] == ["~DEFAULT_BRANCH"]
    assert ruleset["enforcement"] == "active"
    assert words(settings.apply(project.root)) == ["ok nothing to set: all is as .github/repository.yml asks"]


def test_people_approve_the_deployments_of_an_environment(project: Project, api: GitHubAPI, file: Path) -> None:
    replace(file, "production: { reviewers: [] }", "production: { reviewers: [grace, ada] }")
    assert "warn production is approved by: ada, grace is asked for, nobody and nothing is set" in said(project)

    settings.apply(project.root)

    assert list(api.environments) == ["production"]
    assert said(project) == ["ok as .github/repository.yml asks"]


def test_other_rules_and_those_who_may_pass_them_stay(project: Project, api: GitHubAPI, file: Path) -> None:
    settings.apply(project.root)
    (ruleset,) = api.rulesets.values()
    ruleset["rules"].append({"type": "required_signatures"})
    ruleset["bypass_actors"] = [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
    replace(file, "approvals: 0", "approvals: 2")

    settings.apply(project.root)

    assert {"type": "required_signatures"} in ruleset["rules"]
    assert ruleset["bypass_actors"][0]["actor_id"] == 5
    assert said(project) == ["ok as .github/repository.yml asks"]


def test_what_the_plan_does_not_have_is_refused_and_the_rest_is_set(
    project: Project, api: GitHubAPI, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(file, "production: { reviewers: [] }", "production: { reviewers: [ada] }")
    api.fail["repos/create-or-update-environment"] = (422, {"message": "Failed to create the environment"})

    code = doctor.run(project.root, apply=True, json=True)

    (*_, refused) = json.loads(capsys.readouterr().out)["places"]["forge"]
    assert refused["says"] == "the reviewers of production: 422 Failed to create the environment"
    assert code == refused["code"] == ForgeTrouble.code
    assert len(api.rulesets) == 1


@pytest.mark.usefixtures("file")
def test_a_token_that_may_not_ask_is_told_so(project: Project, api: GitHubAPI) -> None:
    api.fail[PERMISSIONS] = (403, {"message": "Resource not accessible by integration"})

    (found,) = settings.settings(project.root)
    assert (found.level, found.remedy) == ("warn", "Ask with an administrator's token.")
    with pytest.raises(ForgeTrouble, match="403"):
        settings.apply(project.root)
    assert api.writes() == []


def test_a_file_with_an_unknown_key_is_refused(project: Project, api: GitHubAPI, file: Path) -> None:
    replace(file, "owners: true", "owner: true")

    (found,) = [found for found in doctor.examine(project.root).places["forge"] if found.what == "settings"]
    assert found.level == "fail"
    with pytest.raises(BadSettings, match=r"repository\.yml: main: .*owner.*; allowed: checks, owners, approvals"):
        settings.apply(project.root)
    assert api.writes() == []


def test_without_the_file_nothing_is_asked_for(project: Project, api: GitHubAPI) -> None:
    assert said(project) == []
    with pytest.raises(Usage, match=r"there is no \.github/repository\.yml"):
        settings.apply(project.root)
    assert api.writes() == []
