"""`model doctor` about the forge: which case of the loop holds there, and what follows."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline.doctor import hosting
from mergeline.doctor.finding import Finding
from mergeline.errors import ForgeTrouble
from tests.local_forge.api import GitHubAPI, running
from tests.unit.project import Project

pytestmark = pytest.mark.slow

REPOSITORY = "octo/flight-delays"
PERMISSIONS = "actions/get-github-actions-default-workflow-permissions-repository"
DENIED = {401: "Bad credentials", 403: "Resource not accessible by integration"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    return Project.make(tmp_path / "flight-delays")


@pytest.fixture
def api(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubAPI]:
    """A repository whose main is unprotected, public, with no variable set."""
    origin = project.root.parent / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", project.root, origin], check=True)
    with running(REPOSITORY, origin) as api:
        monkeypatch.setenv("GITHUB_TOKEN", "workflow-token")
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_API_URL", api.url)
        yield api
    assert not api.wrong


def asked(project: Project) -> dict[str, Finding]:
    return {found.what: found for found in hosting.hosting(project.root)}


def test_without_a_token_one_line_says_what_the_forge_would_tell(project: Project) -> None:
    (found,) = hosting.hosting(project.root)

    assert found.level == "ok"
    assert "GITHUB_TOKEN" in found.says


def test_an_unprotected_main_takes_releases_directly_and_anything_can_be_merged(
    project: Project, api: GitHubAPI
) -> None:
    found = asked(project)

    assert api.protected == set()
    assert "pushes the release to main directly; a promotion is a pull request" in found["main"].says
    assert found["required checks"].level == "warn"
    assert "not even check-pass and verdict-pass" in found["required checks"].says


def test_a_protected_main_gets_releases_by_pull_request(project: Project, api: GitHubAPI) -> None:
    api.protect()
    api.required["main"] = ["check-pass", "verdict-pass"]

    found = asked(project)

    assert "a merge opens one release pull request" in found["main"].says
    assert found["required checks"].level == "ok"


@pytest.mark.parametrize("guarded", [True, False])
def test_a_promotion_is_a_pull_request_whether_main_is_protected_or_not(
    project: Project, api: GitHubAPI, guarded: bool
) -> None:
    if guarded:
        api.protect()
    assert asked(project)["pull requests"].level == "ok"
    api.may_open_pull_requests = False

    found = asked(project)

    assert found["pull requests"].level == "warn"
    assert "a release, promotion or rollback ends with a link" in found["pull requests"].says
    assert "wait until a person chooses" in found["app"].says


def test_with_an_app_checks_start_and_only_the_rollback_is_still_opened_by_actions(
    project: Project, api: GitHubAPI
) -> None:
    api.variables["APP_ID"] = "1234"
    api.may_open_pull_requests = False

    found = asked(project)

    assert found["app"].level == "ok"
    assert "their checks start" in found["app"].says
    assert "the rollback of a failed deployment ends with a link" in found["pull requests"].says


@pytest.mark.parametrize("guarded", [True, False])
def test_a_private_repository_is_told_what_its_plan_may_lack(project: Project, api: GitHubAPI, guarded: bool) -> None:
    if guarded:
        api.protect()
    assert asked(project)["plan"].level == "ok"
    api.private = True

    found = asked(project)["plan"]

    assert found.level == "warn"
    assert all(word in found.says for word in ("environments", "rules", "attestations"))
    assert "approval is by agreement" in found.remedy


@pytest.mark.parametrize(
    ("name", "value", "set_", "unset"),
    [
        ("REGISTRY", "ghcr.io", "has an image in that registry", "a release has no image"),
        ("MLFLOW_TRACKING_URI", "https://mlflow.example.test", "kept in that server", "kept in no MLflow"),
        ("DEPLOY_RUNNER", "basement", "and stay, on that runner", "a rehearsal on a hosted runner"),
    ],
)
def test_says_what_follows_from_a_variable_that_is_set_or_not(
    project: Project, api: GitHubAPI, name: str, value: str, set_: str, unset: str
) -> None:
    found = asked(project)[name]
    assert found.level == "ok"
    assert found.says.startswith("not set: ")
    assert unset in found.says
    api.variables[name] = value

    found = asked(project)[name]

    assert found.level == "ok"
    assert found.says.startswith("set: ")
    assert set_ in found.says


@pytest.mark.parametrize("status", DENIED)
@pytest.mark.parametrize(
    ("operation", "what"),
    [
        ("actions/get-repo-variable", "variables"),
        (PERMISSIONS, "pull requests"),
        ("repos/get-branch-rules", "required checks"),
        ("repos/get", "plan"),
    ],
)
def test_an_answer_that_a_token_is_denied_is_not_known_and_stops_no_other(
    project: Project, api: GitHubAPI, operation: str, what: str, status: int
) -> None:
    whole = set(asked(project)) - {"app", *hosting.VARIABLES}
    api.fail[operation] = (status, {"message": DENIED[status]})

    found = asked(project)

    assert found[what].level == "warn"
    assert found[what].says.startswith("not known: GitHub would not ")
    assert f"{status} {DENIED[status]}" in found[what].says
    assert "administrator's token" in found[what].remedy
    assert set(found) >= whole


@pytest.mark.parametrize("status", DENIED)
def test_a_token_that_may_not_read_the_repository_fails_with_its_code(
    project: Project, api: GitHubAPI, status: int
) -> None:
    api.fail["repos/get-branch"] = (status, {"message": DENIED[status]})

    (found,) = asked(project).values()

    assert (found.level, found.code) == ("fail", ForgeTrouble.code)
    assert found.remedy


def test_a_forge_that_is_silent_fails_with_its_code(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")

    (found,) = asked(project).values()

    assert found.code == ForgeTrouble.code
