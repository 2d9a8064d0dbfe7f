"""Promotion and rollback: a commit that moves one pin, here or as a pull request.

The commit is made beside the index and the working copy and becomes visible in one step (`git update-ref` with the
expected old value), so whoever interrupts it leaves the old pin or the new one. The lock file keeps which pin is
being moved: the next command puts the working copy's file in line with git.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import config, forge, processes, repo, store
from ..errors import Conflict, ForgeTrouble, RepositoryTrouble, Usage
from . import ledger, manifest, pins
from .manifest import Pin, Release

LOCK_FILE = "dvc.lock"


def promote(root: Path, environment: str, *, release: str | None, pull_request: bool) -> str:
    """Pin a release.

    Args:
        root: the project's folder.
        environment: whose pin moves.
        release: an id or its start; None takes what the environment before runs, or the release built last.
        pull_request: push a branch and open a pull request; nothing moves here.

    Raises:
        Usage: unknown environment or release, or the one that is pinned already.
        RepositoryTrouble: the pin has uncommitted changes, or git cannot commit.
        Integrity: release or bundle is not what its hashes say.
        Conflict: the release did not run in the environment before, or somebody else moves a pin.
    """
    with _moving(root) as lock:
        current = pins.committed(root, environment)
        order = config.gates(root).promotion.order
        before = order[order.index(environment) - 1] if environment in order[1:] else None
        chosen = _choose(root, environment, release, before)
        if current.release and current.release.id == chosen.id:
            raise Usage(f"{environment} is pinned to {chosen.id[:12]} already", "Name another with --release.")
        if before:
            _ran(root, before, chosen)
        _not_failed(root, environment, chosen)
        store.fetch(chosen.model.bundle_id, root, chosen.id)
        files = {}
        if environment == order[0] and (here := pins.built(root)) and here.id == chosen.id:
            files = _lock(root)
        pin = Pin(release=chosen, experiment=None)
        return _move(
            root, lock, environment, pin, f"Promote {chosen.id[:12]} to {environment}", {}, files, pull_request
        )


def rollback(root: Path, environment: str, *, to: str | None, reason: str | None, pull_request: bool) -> str:
    """Pin a release that was pinned there before; None takes the one before the current that did not fail.

    Raises:
        Usage: no such release was pinned there.
        RepositoryTrouble, Integrity, Conflict: as `promote`.
    """
    with _moving(root) as lock:
        current = pins.committed(root, environment)
        known = ledger.releases(root, environment)
        here = current.release.id if current.release else None
        if to is not None:
            chosen = pins.find(known, to)
            if chosen.id == here:
                raise Usage(f"{environment} is pinned to {chosen.id[:12]} already", "Name another with --to.")
        else:
            chosen = _earlier(root, environment, known, here)
        store.fetch(chosen.model.bundle_id, root, chosen.id)
        title = f"Roll {environment} back to {chosen.id[:12]}"
        more = {"Reason": " ".join(reason.split())} if reason else {}
        return _move(root, lock, environment, Pin(release=chosen), title, more, {}, pull_request)


class _moving:  # noqa: N801 - reads as what happens: with _moving(root)
    """Hold the repository's lock; mend first what an interrupted command left."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folder = Path(repo.git(root, "rev-parse", "--path-format=absolute", "--git-common-dir"))
        self.held = processes.locked(folder / "mergeline.lock", "a promotion or rollback")

    def __enter__(self) -> int:
        lock = self.held.__enter__()
        try:
            interrupted = os.pread(lock, 4096, 0).decode()
            if interrupted and (content := repo.show(self.root, "HEAD", interrupted)) is not None:
                _write(self.root / interrupted, content)
                repo.git(self.root, "reset", "--quiet", "HEAD", "--", interrupted, *_in_head(self.root, LOCK_FILE))
            os.ftruncate(lock, 0)
        except BaseException:
            self.held.__exit__(None, None, None)
            raise
        return lock

    def __exit__(self, *_: object) -> None:
        self.held.__exit__(None, None, None)


def _in_head(root: Path, name: str) -> list[str]:
    return [name] if repo.show(root, "HEAD", name) is not None else []


def _choose(root: Path, environment: str, start: str | None, before: str | None) -> Release:
    if start is not None:
        known = ledger.releases(root)
        if (built := pins.built(root)) is not None:
            known[built.id] = built
        return pins.find(known, start)
    if before is not None:
        found = pins.committed(root, before).release
        if found is None:
            raise Usage(f"{before} has no release, so {environment} can get none from it", "Promote there first.")
        return found
    found = pins.built(root)
    if found is None:
        raise Usage("no release was built here", "Run `model release build`, or name one with --release.")
    return found


def _ran(root: Path, before: str, release: Release) -> None:
    if release.id not in ledger.releases(root, before):
        raise Conflict(
            f"release {release.id[:12]} was never pinned in {before}", f"Promote it to {before} first (gates.yaml)."
        )
    found = ledger.last_deployment(root, before, release.id)
    if found is None:
        raise Conflict(
            f"no record says that release {release.id[:12]} ran in {before}",
            f"Run `model deploy {before}`; where the forge deploys, set GITHUB_TOKEN so that it can be asked.",
        )
    if found.state != "success":
        raise Conflict(
            f"release {release.id[:12]} failed in {before}: {found.description}", "Release a mended model first."
        )


def _not_failed(root: Path, environment: str, release: Release) -> None:
    found = ledger.last_deployment(root, environment, release.id)
    if found is not None and found.state == "failure":
        raise Conflict(
            f"release {release.id[:12]} failed in {environment} before: {found.description}",
            "Release a mended model.",
        )


def _earlier(root: Path, environment: str, known: Mapping[str, Release], here: str | None) -> Release:
    for move in ledger.moves(root, environment):
        if move.release in (None, here) or move.release not in known:
            continue
        found = ledger.last_deployment(root, environment, move.release)
        if found is None or found.state == "success":
            return known[move.release]
    raise Usage(f"{environment} has no earlier release to go back to", "`model ledger` shows what was pinned.")


def _lock(root: Path) -> dict[str, bytes]:
    """Give the dvc.lock of the release when it differs from the committed one: the release alone commits it."""
    at = root / LOCK_FILE
    if not at.is_file() or repo.show(root, "HEAD", LOCK_FILE) == (content := at.read_bytes()):
        return {}
    return {LOCK_FILE: content}


def _move(
    root: Path,
    lock: int,
    environment: str,
    pin: Pin,
    title: str,
    more: Mapping[str, str],
    files: dict[str, bytes],
    pull_request: bool,
) -> str:
    release = pin.release
    if release is None:
        raise Usage("a pin moves to a release, never to none")
    at = pins.path(environment)
    changes = {at: manifest.content(pin), **files}
    message = title + "\n\n" + _trailers(root, environment, release, more)
    head = repo.head(root)
    if pull_request:
        return _propose(root, environment, head, _commit(root, head, changes, message), title, message)
    try:
        branch = repo.git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    except RepositoryTrouble:
        raise RepositoryTrouble(
            "HEAD is detached: a commit here would be on no branch", "Check a branch out, or use --pull-request."
        ) from None
    new = _commit(root, head, changes, message)
    os.pwrite(lock, at.encode(), 0)
    try:
        repo.git(root, "update-ref", "-m", title, "HEAD", new, head)
    except RepositoryTrouble as error:
        os.ftruncate(lock, 0)
        raise Conflict("another commit came in between; the pin is as it was", "Run the command again.") from error
    _write(root / at, changes[at])
    repo.git(root, "reset", "--quiet", "HEAD", "--", *changes)
    os.ftruncate(lock, 0)
    return f"{title}: commit {new[:12]} on {branch}. Push it, or run `model deploy {environment}` where it is local."


def _commit(root: Path, parent: str, changes: Mapping[str, bytes], message: str) -> str:
    """Make a commit of `parent` with some files replaced, touching neither index nor working copy."""
    prefix = repo.git(root, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory() as temporary:
        env = {"GIT_INDEX_FILE": f"{temporary}/index"}
        repo.git(root, "read-tree", parent, env=env)
        blob, words = Path(temporary) / "blob", Path(temporary) / "message"
        for at, content in changes.items():
            blob.write_bytes(content)
            object_id = repo.git(root, "hash-object", "-w", "--no-filters", blob)
            repo.git(root, "update-index", "--add", "--cacheinfo", f"100644,{object_id},{prefix}{at}", env=env)
        tree = repo.git(root, "write-tree", env=env)
        words.write_text(message, encoding="utf-8")
        return repo.git(root, "commit-tree", tree, "-p", parent, "-F", words)


def _propose(root: Path, environment: str, head: str, new: str, title: str, message: str) -> str:
    branch = f"pin/{environment}"
    try:
        known = repo.git(root, "ls-remote", "origin", f"refs/heads/{branch}", env=forge.credentials()).split("\t")[0]
    except RepositoryTrouble as error:
        raise RepositoryTrouble(f"the remote origin does not answer: {error.args[0]}") from error
    try:
        lease = f"--force-with-lease=refs/heads/{branch}:{known}"
        repo.git(root, "push", "--quiet", lease, "origin", f"{new}:refs/heads/{branch}", env=forge.credentials())
    except RepositoryTrouble as error:
        raise Conflict(f"the push of {branch} was refused: {error.args[0]}", "Fetch, and run it again.") from error
    base = _base(root)
    pushed = f"{title}: pushed {branch} at {new[:12]} (on {head[:12]})"
    connected = forge.connect(root)
    if connected is None:
        return f"{pushed}. No forge is connected (GITHUB_TOKEN): open the pull request to {base} yourself."
    body = message.split("\n", 2)[2]
    try:
        number = connected.open_pull_request(branch, base, title, body)
    except ForgeTrouble as trouble:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        link = f"{server}/{connected.repository}/compare/{base}...{branch}?expand=1"
        return f"{pushed}. The forge did not open the pull request ({trouble}) Open it here: {link}"
    first = config.gates(root).promotion.order[:1]
    itself = environment in first and connected.merge_when_green(number)
    return f"{pushed}, pull request #{number}" + (", which merges when its checks pass." if itself else ".")


def _base(root: Path) -> str:
    try:
        return repo.git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    except RepositoryTrouble:
        return os.environ.get("GITHUB_REF_NAME") or "main"


def _trailers(root: Path, environment: str, release: Release, more: Mapping[str, str]) -> str:
    found = {"Environment": environment, "Release": release.id}
    number = _trained_by(root, release)
    if number is not None:
        found["Pull-request"] = f"#{number}"
    if (verdict := ledger.verdict_words(release)) is not None:
        found["Verdict"] = verdict
    lifted = [f"{o.gate} ({o.reason})" for o in config.gates(root).overrides if o.pull_request == number]
    if lifted:
        found["Override"] = " ".join("; ".join(lifted).split())
    return "".join(f"{key}: {value}\n" for key, value in {**found, **more}.items())


def _trained_by(root: Path, release: Release) -> int | None:
    """Give the pull request that the release's commit merged: the forge knows, else the commit's words tell."""
    connected = forge.connect(root)
    if connected is not None:
        request = connected.pull_request_of(release.code)
        return request.number if request else None
    try:
        subject = repo.git(root, "log", "-1", "--format=%s", release.code)
    except RepositoryTrouble:
        return None
    found = re.match(r"Merge pull request #(\d+)", subject) or re.search(r"\(#(\d+)\)$", subject)
    return int(found[1]) if found else None


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
