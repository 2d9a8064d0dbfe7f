"""What a commit must not hold."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mergeline import guard
from mergeline.errors import RepositoryTrouble, ToolMissing
from mergeline.repo import git

PIN = "infra/environments/staging/pin.json"


def lock(rows: str) -> str:
    return f"schema: '2.0'\nstages:\n  ingest:\n    outs:\n    - path: data/raw.parquet\n      md5: {rows}\n"


def pin(rows: str) -> str:
    return json.dumps({"release": {"data": {"hash": rows}}, "experiment": None})


@pytest.fixture
def commit(tmp_path: Path) -> Callable[..., None]:
    """Commit files, as path=content; a null content removes the file."""

    def made(files: dict[str, str | None]) -> None:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if content is None else path.write_text(content)
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", "A change")

    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    made({"dvc.yaml": "stages: {}\n", ".dvc/config": "[core]\n    analytics = false\n"})
    return made


def branch(root: Path) -> None:
    git(root, "switch", "--quiet", "--create", "change")


def test_a_branch_that_changes_code_alone_passes(tmp_path: Path, commit: Callable[..., None]) -> None:
    commit({"dvc.lock": lock("aaa")})
    branch(tmp_path)
    commit({"src/model/features.py": "NUMERIC = ()\n"})

    guard.lock(tmp_path)


def test_main_may_hold_what_the_release_wrote(tmp_path: Path, commit: Callable[..., None]) -> None:
    commit({"dvc.lock": lock("aaa")})

    guard.lock(tmp_path)


@pytest.mark.parametrize("on_main", [None, "aaa"])
def test_the_remedy_for_a_changed_lock_on_a_branch_works_as_printed(
    tmp_path: Path, commit: Callable[..., None], on_main: str | None
) -> None:
    if on_main:
        commit({"dvc.lock": lock(on_main)})
    branch(tmp_path)
    commit({"dvc.lock": lock("bbb"), "gates.yaml": "primary: auc\n"})

    with pytest.raises(RepositoryTrouble, match=r"dvc.lock is changed on this branch") as refused:
        guard.lock(tmp_path)
    git(tmp_path, *str(refused.value).split("`")[1].split()[1:])

    guard.lock(tmp_path)
    assert (tmp_path / "dvc.lock").read_text() == lock("bbb")


@pytest.mark.usefixtures("commit")
def test_a_lock_that_is_only_staged_is_refused_before_the_commit(tmp_path: Path) -> None:
    branch(tmp_path)
    (tmp_path / "dvc.lock").write_text(lock("bbb"))
    guard.lock(tmp_path)
    git(tmp_path, "add", "dvc.lock")

    with pytest.raises(RepositoryTrouble):
        guard.lock(tmp_path)


def test_main_that_moved_on_is_not_held_against_the_branch(tmp_path: Path, commit: Callable[..., None]) -> None:
    branch(tmp_path)
    commit({"gates.yaml": "primary: auc\n"})
    git(tmp_path, "switch", "--quiet", "main")
    commit({"dvc.lock": lock("aaa")})
    git(tmp_path, "switch", "--quiet", "change")

    guard.lock(tmp_path)


def test_a_release_commits_its_lock_beside_its_pin(tmp_path: Path, commit: Callable[..., None]) -> None:
    branch(tmp_path)
    commit({"dvc.lock": lock("bbb"), PIN: pin("bbb")})

    guard.lock(tmp_path)


@pytest.mark.parametrize("pinned", [pin("ccc"), '{"release": null, "experiment": null}'])
def test_a_lock_beside_the_pin_of_another_release_is_refused(
    tmp_path: Path, commit: Callable[..., None], pinned: str
) -> None:
    branch(tmp_path)
    commit({"dvc.lock": lock("bbb"), PIN: pinned})

    with pytest.raises(RepositoryTrouble, match="names other raw rows"):
        guard.lock(tmp_path)


def test_a_release_that_smuggles_code_is_refused(tmp_path: Path, commit: Callable[..., None]) -> None:
    branch(tmp_path)
    commit({"dvc.lock": lock("bbb"), PIN: pin("bbb"), "src/model/features.py": "NUMERIC = ()\n"})

    with pytest.raises(RepositoryTrouble):
        guard.lock(tmp_path)


def test_data_outside_git_wants_a_remote_that_is_committed(tmp_path: Path, commit: Callable[..., None]) -> None:
    commit({"data/files/rows.csv.dvc": "outs: []\n"})

    with pytest.raises(RepositoryTrouble, match=r"rows.csv.dvc names data that is not in git.*dvc remote add"):
        guard.data(tmp_path)

    commit({".dvc/config": "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://bucket/rows\n"})
    guard.data(tmp_path)


def test_a_refusal_is_one_line_with_its_exit_code(
    tmp_path: Path, commit: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit({"rows.csv.dvc": "outs: []\n"})
    monkeypatch.chdir(tmp_path)

    assert guard.main(["data"]) == 8
    assert guard.main(["else"]) == 2
    assert guard.main(["lock"]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_missing_program_is_named_and_refused_only_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REQUIRE_TOOLS", raising=False)
    assert guard.run(["no-such-program", "check"]) == 0
    assert "no-such-program is not on the PATH" in capsys.readouterr().out

    monkeypatch.setenv("REQUIRE_TOOLS", "1")
    with pytest.raises(ToolMissing):
        guard.run(["no-such-program", "check"])


def test_a_program_that_is_there_decides(tmp_path: Path) -> None:
    assert guard.run(["test", "-d", str(tmp_path)]) == 0
    assert guard.run(["test", "-f", str(tmp_path)]) == 1
