"""From a built release to a pin: by a direct push where main takes one, else by the one release pull request.

Workflows ask three questions here and read the answers as step outputs: is there anything to release (`needed`,
`base`, `name`, `commit`), may this release be pinned (`run`: `pushed`), and what is told when a gate says no (`refused`).
"""

import os
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from .. import config, forge, repo, state
from ..errors import GateFailed, RepositoryTrouble, Usage
from ..forge import event
from . import ledger, manifest, pins, promotion

OTHERS = (":!dvc.lock", f":!{pins.FOLDER}/*/{manifest.PIN}")
"""What a release itself changes: pins and the lock need no release of their own."""
MARKER = "<!-- mergeline: no release -->"
REPORT = "report/report.json"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pin went: `pushed` when the remote's branch has it now."""

    release: str
    pushed: bool
    said: str

    def table(self) -> Any:
        """Draw it."""
        return self.said


def needed(root: Path) -> str:
    """Say whether HEAD holds more than the release that the first environment is pinned to, and what to judge against.

    Step outputs: `needed` (true, false), `base` (the pinned release's commit, or `none` before the first), and what
    an image is labelled with: `name` and `commit`.

    Raises:
        Integrity, RepositoryTrouble: the pin cannot be read.
    """
    first = _first(root)
    pinned = pins.committed(root, first).release
    event.tell(name=state.project(root), commit=repo.head(root))
    if pinned is None or not repo.knows(root, pinned.code):
        event.tell(needed="true", base="none")
        return f"{first} has no release that this clone knows: HEAD {repo.head(root)[:12]} is to be released."
    changed = repo.git(root, "diff", "--name-only", "--relative", pinned.code, "HEAD", "--", ".", *OTHERS).splitlines()
    event.tell(needed="true" if changed else "false", base=pinned.code)
    if not changed:
        return f"Nothing to release: since {pinned.code[:12]}, which {first} runs, only pins and dvc.lock changed."
    return f"{len(changed)} files changed since {pinned.code[:12]}, which {first} runs, {changed[0]} among them."


def run(root: Path) -> Published:
    """Pin the release that was built here in the first environment.

    Without a forge it is a commit here. With one, it is pushed where the branch takes a direct push, else it is the
    one release pull request, which a later release updates. Step output: `pushed`.

    Raises:
        Usage: nothing was built.
        Conflict, Integrity, RepositoryTrouble: see `promotion.promote`.
    """
    built = pins.built(root)
    if built is None:
        raise Usage("no release was built here", "Run `model release build` first.")
    first = _first(root)
    pinned = pins.committed(root, first).release
    if pinned is not None and pinned.id == built.id:
        return _published(built.id, False, f"{first} is pinned to {built.id[:12]} already: nothing to do.")
    connected = forge.connect(root)
    if connected is None:
        return _published(built.id, False, promotion.promote(root, first, release=built.id, pull_request=False))
    branch = _branch(root)
    if connected.protected(branch):
        return _published(built.id, False, promotion.promote(root, first, release=built.id, pull_request=True))
    before = repo.head(root)
    promotion.promote(root, first, release=built.id, pull_request=False)
    try:
        why = _push(root, branch)
    except BaseException:
        _undo(root, before, first)
        raise
    if why is None:
        return _published(built.id, True, f"{first} is pinned to {built.id[:12]} on {branch}.")
    _undo(root, before, first)
    if "fetch first" in why or "non-fast-forward" in why:
        said = f"{branch} has moved on while this release was made: the run of its newest commit releases it."
        return _published(built.id, False, said)
    return _published(built.id, False, promotion.promote(root, first, release=built.id, pull_request=True))


def offer(root: Path, environment: str) -> str:
    """Open, or update, the pull request that promotes what runs in an environment to the one after it.

    Nothing is offered where none follows, where no release is pinned, or where the next environment had that release
    already: what was rolled back there comes back only by hand.

    Raises:
        Conflict: the release did not run in `environment`; see `promotion.promote` for the rest.
    """
    order = config.gates(root).promotion.order
    following = dict(pairwise(order)).get(environment)
    if following is None:
        return f"No environment follows {environment}: nothing to offer."
    release = pins.committed(root, environment).release
    if release is None:
        return f"{environment} has no release: nothing to offer."
    if release.id in ledger.releases(root, following):
        return f"{following} has had release {release.id[:12]} already: nothing to offer."
    return promotion.promote(root, following, release=release.id, pull_request=True)


def refused(root: Path) -> str:
    """Open, or update, the one issue that says why the newest commit of main has no release.

    Raises:
        GateFailed: no forge is connected, so the gates are said here.
    """
    fails = _fails(root)
    head = repo.head(root)
    connected = forge.connect(root)
    if connected is None:
        raise GateFailed(f"no release of {head[:12]}: {'; '.join(fails)}")
    first = _first(root)
    body = (
        f"{MARKER}\n`{head}` was judged again, because its inputs are not those that were reviewed, and a gate failed. "
        f"{first} keeps its pin.\n\n" + "\n".join(f"- {line}" for line in fails)
    )
    number = connected.open_issue(f"No release of {head[:12]}: a gate failed", body, MARKER)
    return f"Issue #{number} says why {head[:12]} has no release."


def _first(root: Path) -> str:
    order = config.gates(root).promotion.order
    if not order:
        raise Usage("gates.yaml names no environment in promotion.order", "Name the one that gets releases first.")
    return order[0]


def _branch(root: Path) -> str:
    try:
        return repo.git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    except RepositoryTrouble:
        raise RepositoryTrouble("HEAD is detached: a release is made of a branch", "Check main out.") from None


def _push(root: Path, branch: str) -> str | None:
    """Push HEAD; give the remote's reason where it refuses this branch.

    Raises:
        RepositoryTrouble: the remote does not answer, or does not take this token.
    """
    done = subprocess.run(
        ["git", "push", "--porcelain", "origin", f"HEAD:refs/heads/{branch}"],
        cwd=root,
        env={**os.environ, **forge.credentials()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    for line in done.stdout.splitlines():
        if line.startswith("!"):
            return line.split("\t")[-1]
    said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise RepositoryTrouble(
        f"`git push` to {branch} failed: {said}", "Give the job `contents: write`, or check the remote."
    )


def _undo(root: Path, before: str, environment: str) -> None:
    """Put HEAD, index and pin back; dvc.lock stays as the pipeline wrote it."""
    repo.git(root, "reset", "--quiet", before)
    repo.git(root, "checkout", "--quiet", before, "--", pins.path(environment))


def _fails(root: Path) -> list[str]:
    """Give the gates that the report here says failed."""

    class Gate(msgspec.Struct):
        gate: str
        state: str
        text: str

    class Report(msgspec.Struct):
        gates: list[Gate] = []

    try:
        report = msgspec.json.decode((root / REPORT).read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return [f"{REPORT} cannot be read: see the run's summary"]
    return [f"{g.gate}: {g.text}" for g in report.gates if g.state == "failed"] or ["see the run's summary"]


def _published(release: str, pushed: bool, said: str) -> Published:
    event.tell(pushed="true" if pushed else "false")
    return Published(release=release, pushed=pushed, said=said)
