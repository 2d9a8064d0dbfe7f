"""The working copy: git, its worktrees, and running the project's own commands in them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import MergelineError, RepositoryTrouble, ToolMissing

QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "CHECKPOINT_DISABLE": "1",
}

FIRST = 'git add --all && git commit --message "Start"'


def root(start: Path | None = None) -> Path:
    """Give the project's folder: the nearest one upwards with a dvc.yaml. Raises RepositoryTrouble."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise RepositoryTrouble(
        f"{here} is in no Mergeline project (no dvc.yaml upwards)", "Change into the project's folder."
    )


def run(
    command: Sequence[str | Path],
    cwd: Path,
    *,
    env: Mapping[str, str] | None = None,
    failure: type[MergelineError] = RepositoryTrouble,
    show: bool = False,
) -> str:
    """Run a program and give its standard output, stripped at the end.

    Args:
        command: program and arguments; no shell.
        cwd: where.
        env: added to this process's environment.
        failure: raised when the program's exit code is not 0, with the line that it calls an error, else the last.
        show: let the program write to this terminal (on standard error) instead.

    Raises:
        ToolMissing: there is no such program.
    """
    try:
        done = subprocess.run(
            [str(c) for c in command],
            cwd=cwd,
            env={**os.environ, **QUIET, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"{command[0]} is not on the PATH") from error
    if done.returncode:
        said = [line for line in f"{done.stdout or ''}\n{done.stderr or ''}".splitlines() if line.strip()]
        words = " ".join(str(c) for c in command[:3])
        why = next((line for line in said if line.lower().startswith("error: ")), said[-1] if said else "").strip()
        raise failure(f"`{words}` failed with exit code {done.returncode}" + (f": {why}" if why else ""))
    return (done.stdout or "").rstrip()


def git(cwd: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run git and give what it printed. Raises RepositoryTrouble."""
    try:
        return run(["git", *arguments], cwd, env={"LANGUAGE": "en", **(env or {})})
    except RepositoryTrouble as error:
        said = str(error)
        if "not a git repository" in said:
            raise RepositoryTrouble(f"{cwd} is in no git repository", f"Run `git init -b main && {FIRST}`.") from None
        if "does not have any commits yet" in said or "Not a valid object name HEAD" in said:
            raise _empty(cwd) from None
        raise


def head(cwd: Path) -> str:
    """Give the commit that is checked out, 40 hex digits. Raises RepositoryTrouble where there is none."""
    return commit(cwd, "HEAD")


def commit(cwd: Path, rev: str) -> str:
    """Resolve a revision to a commit. Raises RepositoryTrouble that names it."""
    try:
        return git(cwd, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    except RepositoryTrouble:
        git(cwd, "rev-parse", "--git-dir")  # says where there is no repository at all
        if rev == "HEAD":
            raise _empty(cwd) from None
        raise RepositoryTrouble(
            f"git knows no revision {rev}", f"Fetch it (`git fetch origin {rev}`), or name another with --base."
        ) from None


def _empty(cwd: Path) -> RepositoryTrouble:
    return RepositoryTrouble(f"the git repository of {cwd} has no commit yet", f"Run `{FIRST}`.")


def knows(cwd: Path, rev: str) -> bool:
    """Say whether git knows a revision here."""
    try:
        commit(cwd, rev)
    except RepositoryTrouble:
        return False
    return True


def merge_base(cwd: Path, rev: str) -> str:
    """Give the commit where HEAD left `rev`. Raises RepositoryTrouble, also in a shallow clone that lacks it."""
    other = commit(cwd, rev)
    try:
        return git(cwd, "merge-base", "HEAD", other)
    except RepositoryTrouble:
        shallow = git(cwd, "rev-parse", "--is-shallow-repository") == "true"
        raise RepositoryTrouble(
            f"HEAD and {rev} have no common commit here" + (" (this clone is shallow)" if shallow else ""),
            "Run `git fetch --unshallow`." if shallow else "Name the branch that you started from with --base.",
        ) from None


def show(cwd: Path, rev: str, path: str) -> bytes | None:
    """Give a file's content at a revision, or None where it is not there."""
    done = subprocess.run(["git", "show", f"{rev}:./{path}"], cwd=cwd, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def changed(cwd: Path, base: str) -> list[str]:
    """Give the paths that differ between `base` and the working copy, dvc.lock aside, sorted."""
    tracked = git(cwd, "diff", "--name-only", "--relative", base).splitlines()
    new = git(cwd, "ls-files", "--others", "--exclude-standard").splitlines()
    return sorted({*tracked, *new} - {"dvc.lock"})


def uncommitted(cwd: Path) -> list[str]:
    """Give the paths with changes that no commit holds; dvc.lock, which only a release commits, never counts."""
    lines = git(cwd, "status", "--porcelain=v1", "--untracked-files=all").splitlines()
    return [path for path in (line[3:] for line in lines) if path != "dvc.lock"]


@contextmanager
def worktree(cwd: Path, rev: str, at: Path) -> Iterator[Path]:
    """Check `rev` out beside the working copy, with this copy's DVC cache; removed afterwards.

    Args:
        cwd: the project's folder.
        rev: any revision.
        at: a folder that is not there yet.
    """
    git(cwd, "worktree", "add", "--detach", "--force", at, rev)
    try:
        yield at
    finally:
        git(cwd, "worktree", "remove", "--force", at)


def environment(checkout: Path) -> dict[str, str]:
    """Give the variables with which `model` and DVC stages in `checkout` run that checkout's own code.

    An editable install points to one checkout only: without PYTHONPATH a base would train the candidate's code.
    """
    return {"PYTHONPATH": str(checkout / "src")}


def own_code(project: Path) -> None:
    """Refuse to run when this package was imported from another checkout. Raises RepositoryTrouble."""
    here = Path(__file__).resolve().parents[1]
    if here != (project / "src").resolve():
        raise RepositoryTrouble(
            f"the code that runs is from {here}, not from {project.name}/src",
            "Run it with PYTHONPATH=src, or `make setup` here.",
        )
