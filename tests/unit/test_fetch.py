"""Rows behind a DVC remote: fetched, refused with the reason, or, for a fork, no failure of its own."""

import json
from pathlib import Path

import pytest

from mergeline import fetch
from mergeline.errors import RepositoryTrouble
from mergeline.repo import git

pytestmark = pytest.mark.slow

ROWS = b"carrier,late\nUA,1\n"
MD5 = "36139162f19247a95ce4512c20797dcc"
NAMED = f"outs:\n- md5: {MD5}\n  size: {len(ROWS)}\n  hash: md5\n  path: rows.csv\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose rows are in a DVC remote that is a folder; a workflow's run of no pull request."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / ".dvc/config").write_text(
        "[core]\n    analytics = false\n    remote = storage\n['remote \"storage\"']\n    url = ../../remote\n"
    )
    (root / "rows.csv.dvc").write_text(NAMED)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    for name in ("OUTPUT", "STEP_SUMMARY"):
        monkeypatch.setenv(f"GITHUB_{name}", str(tmp_path / name))
    return root


def told(project: Path) -> str:
    return (project.parent / "OUTPUT").read_text()


def run_of(project: Path, monkeypatch: pytest.MonkeyPatch, repository: str, author: str) -> None:
    """Make this process a run of somebody's pull request."""
    head = {"sha": "a" * 40, "repo": {"full_name": repository}}
    base = {"sha": "b" * 40, "ref": "main", "repo": {"full_name": "octo/flight-delays"}}
    event = {"pull_request": {"number": 7, "head": head, "base": base, "user": {"login": author}}}
    (project.parent / "event.json").write_text(json.dumps(event))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(project.parent / "event.json"))


def test_rows_that_the_remote_has_are_fetched(project: Path) -> None:
    place = project.parent / "remote" / "files" / "md5" / MD5[:2] / MD5[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(ROWS)

    fetch.run(project)

    assert (project / "rows.csv").read_bytes() == ROWS
    assert told(project) == "data=here\n"


def test_where_git_has_all_rows_no_remote_is_asked(project: Path) -> None:
    git(project, "rm", "--quiet", "--force", "rows.csv.dvc")

    assert "in git" in fetch.run(project)
    assert told(project) == "data=here\n"


@pytest.mark.parametrize(
    ("repository", "author"), [("mallory/flight-delays", "mallory"), ("octo/flight-delays", "dependabot[bot]")]
)
def test_a_run_without_credentials_says_who_can_train_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, repository: str, author: str
) -> None:
    run_of(project, monkeypatch, repository, author)

    fetch.run(project)

    assert told(project) == "data=missing\n"
    summary = (project.parent / "STEP_SUMMARY").read_text()
    assert "**Not trained**: a maintainer must push this branch" in summary
    assert "rows.csv.dvc" in summary


def test_a_branch_of_the_repository_itself_is_red(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(project, monkeypatch, "octo/flight-delays", "ada")

    with pytest.raises(RepositoryTrouble, match=r"does not give what rows\.csv\.dvc names") as refused:
        fetch.run(project)
    assert "\n" not in str(refused.value)


def test_a_main_that_cannot_be_trained_is_red(project: Path) -> None:
    with pytest.raises(RepositoryTrouble, match=r"\.dvc/config"):
        fetch.run(project)
