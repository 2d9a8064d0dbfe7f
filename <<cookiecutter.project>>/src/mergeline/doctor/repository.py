"""This repository: its settings, its history, its data, and whether the environment is the locked one."""

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from .. import config, repo, store
from ..errors import MergelineError, RepositoryTrouble, ToolMissing
from .finding import Finding, fail, ok, warn

LOCKED = "requirements/train.txt"
LARGE = 50 * 1024 * 1024
SECONDS = 20
SHOWN = 3


def own_code(root: Path) -> Iterator[Finding]:
    """An editable install points to one checkout only."""
    repo.own_code(root)
    yield ok("own code", "this checkout's")


def settings(root: Path) -> Iterator[Finding]:
    """params.yaml and gates.yaml."""
    for name, read in ((config.PARAMS, config.params), (config.GATES, config.gates)):
        try:
            read(root)
        except MergelineError as error:
            yield fail(name, error)
        else:
            yield ok(name, "valid")


def packages(root: Path) -> Iterator[Finding]:
    """What is installed must be what the lock says: it decides the model's bytes."""
    wrong = list(_differing(root / LOCKED))
    if wrong:
        shown = ", ".join(wrong[:SHOWN]) + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
        yield fail("packages", ToolMissing(f"the environment is not {LOCKED}: {shown}", "Run `make setup`."))
    else:
        yield ok("packages", f"as {LOCKED} says")


def history(root: Path) -> Iterator[Finding]:
    """A pull request is judged against the merge base."""
    if repo.git(root, "rev-parse", "--is-shallow-repository") == "true":
        yield warn(
            "history",
            "this clone is shallow, so `model compare` may not find where the branch began, and the ledger is short",
            "Run `git fetch --unshallow`.",
        )
    else:
        yield ok("history", "whole")


def lock(root: Path) -> Iterator[Finding]:
    """Only a release commits dvc.lock."""
    yield _guard(root, "lock", "dvc.lock", "left to releases")


def data(root: Path) -> Iterator[Finding]:
    """What DVC tracks must be somewhere that others can fetch it from."""
    yield _guard(root, "data", "data", "in git, or named by .dvc files with a remote")


def remote(root: Path) -> Iterator[Finding]:
    """The DVC remote answers."""
    try:
        found = store.remote(root)
        if found is None:
            yield ok("dvc remote", "none; trainings and releases are handed over by the forge, raw data is in git")
            return
        fs, base = found
        there = fs.exists(base)
    except MergelineError as error:
        yield fail("dvc remote", error)
    except Exception as error:  # every storage has errors of its own
        line = (str(error).splitlines() or [type(error).__name__])[0]
        trouble = RepositoryTrouble(
            f"it does not answer: {line:.160}", "Check the address in .dvc/config, the network and the credentials."
        )
        yield fail("dvc remote", trouble)
    else:
        if there:
            yield ok("dvc remote", f"{base} answers")
        else:
            remedy = "The first `dvc push` makes it; if something was pushed, correct the address in .dvc/config."
            yield warn("dvc remote", f"there is nothing at {base}", remedy)


def large_files(root: Path) -> Iterator[Finding]:
    """git keeps every version of a file for ever."""
    lines = repo.git(root, "ls-tree", "-r", "-l", "HEAD").splitlines()
    large = [
        path for entry, path in (line.split("\t", 1) for line in lines) if entry.split()[-1].isdigit()
        and int(entry.split()[-1]) > LARGE
    ]  # fmt: skip
    if large:
        yield warn(
            "large files",
            f"{', '.join(large[:SHOWN])}: over 50 MB in git",
            "Move them to DVC: `git rm --cached FILE`, `dvc add FILE`, `dvc push`.",
        )
    else:
        yield ok("large files", "none over 50 MB in git")


def pre_commit(root: Path) -> Iterator[Finding]:
    """The checks of `make check` may run on each commit."""
    hook = (root / repo.git(root, "rev-parse", "--git-path", "hooks/pre-commit")).resolve()
    if hook.is_file() and "pre-commit" in hook.read_text(encoding="utf-8", errors="replace"):
        yield ok("pre-commit", "installed")
    else:
        yield warn(
            "pre-commit", "commits are not checked", "Run `pre-commit install`; `make check` does the same by hand."
        )


def _differing(lock_file: Path) -> Iterator[str]:
    for line in lock_file.read_text(encoding="utf-8").splitlines():
        if not line or line[0].isspace() or line.startswith(("#", "-")):
            continue
        try:
            wanted = Requirement(line.rstrip("\\ "))
        except InvalidRequirement:
            continue
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            here = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield f"{wanted.name} is missing"
            continue
        if not wanted.specifier.contains(here, prereleases=True):
            yield f"{wanted.name} is {here}, not {wanted.specifier}"


def _guard(root: Path, check: str, what: str, good: str) -> Finding:
    """Ask the check that pre-commit runs, as it runs it."""
    try:
        repo.run([sys.executable, "-m", "mergeline.guard", check], root, env=repo.environment(root))
    except RepositoryTrouble as error:
        said = Exception.__str__(error).partition("exit code 8: ")[2] or Exception.__str__(error)
        return fail(what, RepositoryTrouble(said.removeprefix("error "), ""))
    return ok(what, good)


CHECKS = (own_code, settings, packages, history, lock, data, remote, large_files, pre_commit)
