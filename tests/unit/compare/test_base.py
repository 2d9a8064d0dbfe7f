"""Which commit is the base, which lock fits it, and which environment trains it. No pipeline runs here."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from mergeline.compare import base, environment
from mergeline.errors import RepositoryTrouble, ToolMissing


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, **content: str) -> str:
    for name, text in content.items():
        path = root / name.replace("__", "/").replace("_yaml", ".yaml").replace("_lock", ".lock").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "A change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    return root


def test_the_base_is_where_the_branch_left_main(root: Path) -> None:
    left = commit(root, dvc_yaml="stages: {}")
    git(root, "switch", "--quiet", "--create", "feature")
    commit(root, notes="one")
    git(root, "switch", "--quiet", "main")
    commit(root, notes="two")
    git(root, "switch", "--quiet", "--detach", "feature")

    assert base.find(root, "main") == left


def test_there_is_no_base_where_no_project_was_yet(root: Path) -> None:
    commit(root, README="nothing")
    git(root, "switch", "--quiet", "--create", "feature")
    commit(root, dvc_yaml="stages: {}")

    assert base.find(root, "main") is None


def test_none_means_no_base(root: Path) -> None:
    commit(root, dvc_yaml="stages: {}")

    assert base.find(root, "none") is None


def test_a_checkout_that_knows_only_the_branch_of_the_remote_uses_it(root: Path, tmp_path: Path) -> None:
    left = commit(root, dvc_yaml="stages: {}")
    git(root, "switch", "--quiet", "--create", "feature")
    head = commit(root, notes="one")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    git(clone, "switch", "--quiet", "--detach", head)

    assert base.find(clone, "main") == left


def test_a_base_that_is_not_there_is_said(root: Path) -> None:
    commit(root, dvc_yaml="stages: {}")

    with pytest.raises(RepositoryTrouble, match="git knows no revision trunk"):
        base.find(root, "trunk")


def test_a_repository_without_a_commit_is_told_how_to_begin(root: Path) -> None:
    with pytest.raises(RepositoryTrouble, match=r"has no commit yet\. Run `git add --all && git commit"):
        base.find(root, "main")


def test_a_folder_without_git_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(RepositoryTrouble, match=r"is in no git repository\. Run `git init -b main && git add --all"):
        base.find(tmp_path, "main")


def test_the_lock_that_a_release_committed_after_the_merge_is_taken(root: Path) -> None:
    old, new = "def features(): 1\n", "def features(): 2\n"
    commit(root, dvc_yaml="stages: {}", params_yaml="rate: 1\n", src__features_py=old, dvc_lock=lock(old))
    merged = commit(root, src__features_py=new)
    commit(root, dvc_lock=lock(new))
    checkout = root.parent / "base"
    git(root, "worktree", "add", "--detach", str(checkout), merged)

    assert base._choose_lock(root, checkout, "main")
    assert (checkout / "dvc.lock").read_text() == lock(new)


def test_a_newer_lock_of_other_code_is_left_alone(root: Path) -> None:
    old, new = "def features(): 1\n", "def features(): 2\n"
    left = commit(root, dvc_yaml="stages: {}", params_yaml="rate: 1\n", src__features_py=old, dvc_lock=lock(old))
    commit(root, src__features_py=new, dvc_lock=lock(new), params_yaml="rate: 2\n")
    checkout = root.parent / "base"
    git(root, "worktree", "add", "--detach", str(checkout), left)

    assert base._choose_lock(root, checkout, "main")
    assert (checkout / "dvc.lock").read_text() == lock(old)


def lock(features: str) -> str:
    name = hashlib.md5(features.encode(), usedforsecurity=False).hexdigest()
    return f"stages:\n  train:\n    deps:\n    - {{path: src/features.py, md5: {name}}}\n    params: {{params.yaml: {{rate: 1}}}}\n"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [('ROW_ID = "id"\n', "id"), ('ROW_ID: str = "id"\n', "id"), ("ROW_ID = LABEL\n", None), ("def (", None)],
)
def test_the_row_id_of_a_base_is_read_without_running_it(tmp_path: Path, schema: str, expected: str | None) -> None:
    (tmp_path / "src/model").mkdir(parents=True)
    (tmp_path / "src/model/schema.py").write_text(schema)

    assert base.declared(tmp_path, "ROW_ID") == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ('SLICES: tuple[str, ...] = ("carrier", "gone")', ("carrier",)),
        ('SLICES = ["carrier"]', ("carrier",)),
        ("SLICES = (LABEL,)", ()),
        ("SLICES = 7", ()),
        ("", ()),
    ],
)
def test_the_slices_of_a_base_are_those_that_the_rows_have(
    tmp_path: Path, schema: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / "src/model").mkdir(parents=True)
    (tmp_path / "src/model/schema.py").write_text(schema)

    assert base.names(tmp_path, "SLICES", ["carrier", "late"]) == expected


def requirements(folder: Path, text: str) -> Path:
    (folder / "requirements").mkdir(parents=True)
    (folder / "requirements/train.txt").write_text(text)
    return folder


def test_equal_packages_and_python_share_this_environment(tmp_path: Path) -> None:
    ours, theirs = requirements(tmp_path / "ours", "a==1"), requirements(tmp_path / "theirs", "a==1")

    assert environment.python(ours, theirs, "3.11", base_version="3.11") == sys.executable


@pytest.mark.parametrize(("text", "version"), [("a==2", "3.11"), ("a==1", "3.12")], ids=["packages", "python"])
def test_other_packages_or_another_python_get_an_environment_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, version: str
) -> None:
    ours, theirs = requirements(tmp_path / "ours", "a==1"), requirements(tmp_path / "theirs", text)
    fake_uv(tmp_path, monkeypatch)

    first, second = (environment.python(ours, theirs, "3.11", base_version=version) for _ in range(2))

    assert first == second != sys.executable
    assert (Path(first).parent / "model").read_text().startswith(f"#!{first}\n")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["venv", "pip"]
    assert f"--python {version}" in calls[0]
    assert "--require-hashes" in calls[1]


def test_an_environment_that_was_not_finished_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = requirements(tmp_path / "ours", "a==1"), requirements(tmp_path / "theirs", "a==2")
    fake_uv(tmp_path, monkeypatch)
    made = Path(environment.python(ours, theirs, "3.11", base_version="3.11"))
    (made.parents[1] / environment.DONE).unlink()

    environment.python(ours, theirs, "3.11", base_version="3.11")

    assert (tmp_path / "calls").read_text().count("venv") == 2


def test_without_uv_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = requirements(tmp_path / "ours", "a==1"), requirements(tmp_path / "theirs", "a==2")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))

    with pytest.raises(ToolMissing, match="uv is not here"):
        environment.python(ours, theirs, "3.11", base_version="3.11")


def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a `uv` on the PATH that notes its calls and makes the folder."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ $1 = venv ] && mkdir -p "$5/bin"\nexit 0\n')
    (tools / "uv").chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.executable", str(tools / "python"))
