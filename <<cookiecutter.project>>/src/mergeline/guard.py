"""What a commit must not hold, checked by pre-commit: `python -m mergeline.guard lock|data|run ...`."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from . import repo
from .errors import MergelineError, RepositoryTrouble, ToolMissing, Usage

LOCK = "dvc.lock"
RAW = "data/raw.parquet"
MAIN = ("origin/main", "main")


def lock(root: Path) -> None:
    """Refuse a dvc.lock that a branch changed: two branches that both commit it always conflict.

    A release's own branch may: there only dvc.lock and pins change, and the lock names the rows of a release that it
    pins. Whether it names that release's bundle too, `model release verify` says, which fetches the bundle.

    Raises:
        RepositoryTrouble: with the command that takes the change out of the commit.
    """
    main = next((rev for rev in MAIN if repo.knows(root, rev)), None)
    if main is None or repo.git(root, "branch", "--show-current") == "main":
        return
    base = repo.merge_base(root, main)
    changed = repo.git(root, "diff", "--cached", "--name-only", "--no-renames", "--relative", base).splitlines()
    if LOCK not in changed:
        return
    pins = [path for path in changed if Path(path).match("infra/environments/*/pin.json")]
    if pins and set(changed) == {LOCK, *pins}:
        locked = _rows(yaml.safe_load(_staged(root, LOCK) or "") or {})
        if locked is not None and locked in {_pinned_rows(_staged(root, pin)) for pin in pins}:
            return
        raise RepositoryTrouble(
            f"{LOCK} names other raw rows than the release in {' and '.join(pins)}",
            "Let `model promote` or the release workflow write both.",
        )
    undo = "git restore --staged --source" if repo.show(root, base, LOCK) is not None else "git rm --quiet --cached"
    revision = f" {main}" if "restore" in undo else ""
    raise RepositoryTrouble(
        f"{LOCK} is changed on this branch, and only a release may: two branches that both commit it always conflict",
        f"`{undo}{revision} {LOCK}` takes it out of the commit and keeps the file; "
        f"`git commit --all` puts it back in, so commit with `git add --all ':!{LOCK}' && git commit`.",
    )


def data(root: Path) -> None:
    """Refuse a tracked .dvc file where no default remote is committed: nobody else could fetch what it names.

    Raises:
        RepositoryTrouble: with both ways out.
    """
    files = [path for path in repo.git(root, "ls-files", "*.dvc").splitlines() if Path(path).name != ".dvc"]
    config = configparser.ConfigParser()
    config.read_string(_staged(root, ".dvc/config") or "")
    if files and not config.get("core", "remote", fallback=""):
        raise RepositoryTrouble(
            f"{files[0]} names data that is not in git, and .dvc/config names no default remote to fetch it from",
            "Run `dvc remote add --default storage URL`, `dvc push`, and commit .dvc/config; "
            "or keep the file itself in git (up to 50 MB).",
        )


def run(command: Sequence[str]) -> int:
    """Run a program that needs an installation of its own; say so where it is not there.

    Returns:
        The program's exit code; 0 where it is missing.

    Raises:
        ToolMissing: it is missing, and REQUIRE_TOOLS=1 asks for it.
    """
    if shutil.which(command[0]) is None:
        if os.environ.get("REQUIRE_TOOLS") == "1":
            raise ToolMissing(f"{command[0]} is not on the PATH, and REQUIRE_TOOLS=1 asks for it")
        sys.stdout.write(f"Not checked: {command[0]} is not on the PATH of this machine.\n")
        return 0
    return subprocess.run(command, check=False).returncode


def _staged(root: Path, path: str) -> str | None:
    """Give a file as the next commit has it."""
    content = repo.show(root, "", path)
    return None if content is None else content.decode()


def _rows(lock: dict[str, Any]) -> str | None:
    """Give DVC's hash of the raw rows that a dvc.lock names."""
    outs = lock.get("stages", {}).get("ingest", {}).get("outs", ())
    return next((out.get("md5") for out in outs if out.get("path") == RAW), None)


def _pinned_rows(pin: str | None) -> str | None:
    """Give DVC's hash of the raw rows of a pin's release."""
    release = json.loads(pin or "{}").get("release") or {}
    return (release.get("data") or {}).get("hash")


def main(arguments: Sequence[str]) -> int:
    """Run one check; a refusal is one line and its exit code."""
    try:
        match arguments:
            case ["lock"]:
                lock(repo.root())
            case ["data"]:
                data(repo.root())
            case ["run", program, *rest]:
                return run([program, *rest])
            case _:
                raise Usage("guard knows lock, data, and run PROGRAM ...")
    except MergelineError as error:
        sys.stderr.write(f"error {error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
