"""From a built release to a pin, on a forge of this machine: unprotected, protected, moved on, forbidden."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline.errors import RepositoryTrouble, Usage
from mergeline.release import build, promotion, publish, records
from tests.local_forge.api import GitHubAPI, Token, running
from tests.unit.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a workflow reads step outputs from."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def api(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubAPI]:
    """The project's forge; main is pushed, and this process acts with a workflow's own token."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "--bare", "--quiet", project.root, origin], check=True, capture_output=True)
    with running("octo/flight-delays", origin) as served:
        project.git("remote", "add", "origin", f"{served.url}/octo/flight-delays.git")
        for name, value in {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": served.url,
            "GITHUB_REPOSITORY": "octo/flight-delays",
            "GITHUB_SERVER_URL": served.url,
            "GITHUB_TOKEN": "workflow-token",
        }.items():
            monkeypatch.setenv(name, value)
        yield served
    assert served.wrong == []


def test_without_a_forge_a_release_is_a_commit_here(project: Project) -> None:
    built = build.run(project.root, image=None).release

    done = publish.run(project.root)

    assert (done.release, done.pushed) == (built.id, False)
    assert project.pinned("staging") == built.id
    assert project.git("log", "-1", "--format=%(trailers:key=Release,valueonly)") == built.id


def test_an_unprotected_main_gets_a_push(project: Project, api: GitHubAPI, outputs: Path) -> None:
    built = build.run(project.root, image=None).release

    done = publish.run(project.root)

    assert done.pushed
    assert "pushed=true" in outputs.read_text()
    assert f"Release: {built.id}" in api.git("log", "-1", "--format=%B", "main")
    assert sorted(api.git("diff", "--name-only", "main^", "main").split()) == [
        "dvc.lock",
        "infra/environments/staging/pin.json",
    ]
    assert api.pulls == {}


def test_a_protected_main_gets_one_pull_request_that_a_later_release_updates(
    project: Project, api: GitHubAPI, outputs: Path
) -> None:
    api.protect()
    before = api.commit("main")
    build.run(project.root, image=None)
    publish.run(project.root)
    project.train(2)
    second = build.run(project.root, image=None).release

    done = publish.run(project.root)

    assert not done.pushed
    assert "pushed=true" not in outputs.read_text()
    assert api.commit("main") == before
    assert len(api.pulls) == 1
    branch = next(iter(api.pulls.values()))["head"]
    assert f"Release: {second.id}" in api.git("log", "-1", "--format=%B", branch)
    assert api.commit(f"{branch}^") == before
    assert project.git("rev-parse", "HEAD") == before, "nothing moves here"


def test_a_rule_that_only_the_push_meets_leads_to_a_pull_request_too(project: Project, api: GitHubAPI) -> None:
    api.protect()
    api.protected.clear()  # as with a ruleset that the branch does not tell of
    build.run(project.root, image=None)
    lock = (project.root / "dvc.lock").read_bytes()
    before = project.git("rev-parse", "HEAD")

    done = publish.run(project.root)

    assert not done.pushed
    assert len(api.pulls) == 1
    assert "dvc.lock" in api.git("diff", "--name-only", "main", next(iter(api.pulls.values()))["head"])
    assert project.git("rev-parse", "HEAD") == before
    assert project.pinned("staging") is None
    assert (project.root / "dvc.lock").read_bytes() == lock


def test_a_main_that_moved_on_is_left_to_the_run_of_its_newest_commit(
    project: Project, api: GitHubAPI, tmp_path: Path
) -> None:
    build.run(project.root, image=None)
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "--quiet", api.origin, other], check=True, capture_output=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "newer"], cwd=other, check=True)
    subprocess.run(["git", "push", "--quiet", "origin", "main"], cwd=other, check=True)

    done = publish.run(project.root)

    assert not done.pushed
    assert "moved on" in done.said
    assert api.git("log", "-1", "--format=%s", "main") == "newer"
    assert api.pulls == {}


def test_where_actions_may_not_open_pull_requests_the_link_is_given(project: Project, api: GitHubAPI) -> None:
    api.protect()
    api.may_open_pull_requests = False
    build.run(project.root, image=None)

    done = publish.run(project.root)

    assert "/compare/main...pin/staging" in done.said
    assert "not permitted to create" in done.said


def test_a_token_that_may_not_push_leaves_everything_as_it_was(project: Project, api: GitHubAPI) -> None:
    api.tokens["workflow-token"] = Token("github-actions[bot]", write=False)
    build.run(project.root, image=None)
    before = project.git("rev-parse", "HEAD")

    with pytest.raises(RepositoryTrouble, match="push"):
        publish.run(project.root)

    assert project.git("rev-parse", "HEAD") == before
    assert project.pinned("staging") is None


def test_what_is_pinned_already_is_not_published_again(project: Project, api: GitHubAPI) -> None:
    build.run(project.root, image=None)
    publish.run(project.root)
    commit = api.commit("main")
    project.commit("Write docs")
    build.run(project.root, image=None)

    done = publish.run(project.root)

    assert "already" in done.said
    assert api.commit("main") == commit


def test_refuses_without_a_built_release(project: Project) -> None:
    with pytest.raises(Usage, match="no release was built"):
        publish.run(project.root)


def told(outputs: Path) -> dict[str, str]:
    """Read step outputs."""
    return dict(line.split("=", 1) for line in outputs.read_text().splitlines())


def test_a_project_without_a_release_needs_one(project: Project, outputs: Path) -> None:
    publish.needed(project.root)

    head = project.git("rev-parse", "HEAD")
    assert told(outputs) == {"name": "flight-delays", "commit": head, "needed": "true", "base": "none"}


def test_pins_and_the_lock_alone_need_no_release(project: Project, outputs: Path) -> None:
    code = project.git("rev-parse", "HEAD")
    build.run(project.root, image=None)
    promotion.promote(project.root, "staging", release=None, pull_request=False)

    said = publish.needed(project.root)

    assert told(outputs).items() >= {"needed": "false", "base": code}.items()
    assert "Nothing to release" in said


def test_a_change_of_the_model_after_the_release_needs_one(project: Project, outputs: Path) -> None:
    code = project.git("rev-parse", "HEAD")
    build.run(project.root, image=None)
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    (project.root / "params.yaml").write_text('python: "3.11"\ntask: classification\nmodel: {iterations: 5}\n')
    project.commit("Fewer iterations")

    said = publish.needed(project.root)

    assert told(outputs).items() >= {"needed": "true", "base": code}.items()
    assert "params.yaml" in said


def test_a_gate_that_fails_on_main_is_one_issue(project: Project, api: GitHubAPI) -> None:
    (project.root / "report").mkdir()
    gates = '[{"gate": "roc_auc not_worse", "state": "failed", "text": "-0.04"}, {"gate": "b", "state": "passed", "text": ""}]'
    (project.root / "report" / "report.json").write_text(f'{{"gates": {gates}}}')

    publish.refused(project.root)
    publish.refused(project.root)

    (issue,) = api.issues.values()
    assert "roc_auc not_worse: -0.04" in issue["body"]
    assert "\n- b" not in issue["body"]


def test_what_runs_in_staging_is_offered_to_production_once(project: Project, api: GitHubAPI) -> None:
    built = build.run(project.root, image=None).release
    publish.run(project.root)
    commit = project.git("rev-parse", "HEAD")
    record = records.Deployment(
        environment="staging", release=built.id, state="success", description="runs", created=records.now()
    )
    records.write(project.root, commit, record)

    said = publish.offer(project.root, "staging")
    (request,) = api.pulls.values()
    assert f"Promote {built.id[:12]} to production" in request["title"]
    assert f"#{request['number']}" in said

    api.merge(request["number"])
    project.git("pull", "--quiet", "origin", "main")
    assert "already" in publish.offer(project.root, "staging")


def test_nothing_is_offered_where_nothing_is_pinned_or_nothing_follows(project: Project) -> None:
    assert "no release" in publish.offer(project.root, "staging")
    assert "No environment follows" in publish.offer(project.root, "production")
