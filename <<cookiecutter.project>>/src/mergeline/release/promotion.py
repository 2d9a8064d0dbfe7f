"""Promotion and rollback: a commit that moves one pin, here or as a pull request; and when it is refused."""

import re
from collections.abc import Mapping
from pathlib import Path

from .. import config, forge, objects, repo, store
from ..errors import Conflict, RepositoryTrouble, Usage
from ..forge import overrides
from . import commits, ledger, manifest, pins, proposal, targets, terraform
from .manifest import Pin, Release


def promote(root: Path, environment: str, *, release: str | None, pull_request: bool) -> str:
    """Pin a release.

    Args:
        root: the project's folder.
        environment: whose pin moves.
        release: an id or its start; None takes what the environment before runs, or the release built last.
        pull_request: push a branch and open a pull request; nothing moves here.

    Raises:
        Usage: unknown environment or release, the one that is pinned already, or one that cannot run there.
        RepositoryTrouble: the pin has uncommitted changes, or git cannot commit.
        Integrity: release or bundle is not what its hashes say.
        Conflict: the release did not run in the environment before, or somebody else moves a pin.
    """
    with commits.moving(root) as lock:
        current = pins.committed(root, environment)
        order = config.gates(root).promotion.order
        before = order[order.index(environment) - 1] if environment in order[1:] else None
        chosen = _choose(root, environment, release, before)
        if current.release and current.release.id == chosen.id:
            raise Usage(f"{environment} is pinned to {chosen.id[:12]} already", "Name another with --release.")
        targets.need_image(terraform.target(root, environment), environment, chosen)
        if before:
            ran(root, before, chosen)
        not_failed(root, environment, chosen)
        store.fetch(chosen.model.bundle_id, root, chosen.id)
        files = {}
        if environment == order[0] and (here := pins.built(root)) and here.id == chosen.id:
            files = _lock(root)
        title = f"Promote {chosen.id[:12]} to {environment}"
        said = move(root, lock, environment, Pin(release=chosen), title, {}, files, pull_request)
        return said + _ends(current)


def rollback(root: Path, environment: str, *, to: str | None, reason: str | None, pull_request: bool) -> str:
    """Pin a release that was pinned there before; None takes the one before the current that did not fail.

    Raises:
        Usage: no such release was pinned there.
        RepositoryTrouble, Integrity, Conflict: as `promote`.
    """
    with commits.moving(root) as lock:
        current = pins.committed(root, environment)
        known = ledger.releases(root, environment)
        here = current.release.id if current.release else None
        if to is not None:
            chosen = pins.find(known, to)
            if chosen.id == here:
                raise Usage(f"{environment} is pinned to {chosen.id[:12]} already", "Name another with --to.")
        else:
            chosen = _earlier(root, environment, known, here)
        targets.need_image(terraform.target(root, environment), environment, chosen)
        store.fetch(chosen.model.bundle_id, root, chosen.id)
        title = f"Roll {environment} back to {chosen.id[:12]}"
        more = {"Reason": " ".join(reason.split())} if reason else {}
        return move(root, lock, environment, Pin(release=chosen), title, more, {}, pull_request) + _ends(current)


def _ends(before: Pin) -> str:
    """Say that the experiment beside the release before ends with it: it was one of these two."""
    return f" This ends its experiment: {before.experiment.words()}." if before.experiment else ""


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


def ran(root: Path, before: str, release: Release) -> None:
    """Refuse a release of which no record says that it ran in the environment `before`. Raises Conflict."""
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


def not_failed(root: Path, environment: str, release: Release) -> None:
    """Refuse a release that failed there before. Raises Conflict."""
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
    at = root / objects.LOCK
    if not at.is_file() or repo.show(root, "HEAD", objects.LOCK) == (content := at.read_bytes()):
        return {}
    return {objects.LOCK: content}


def move(
    root: Path,
    lock: int,
    environment: str,
    pin: Pin,
    title: str,
    more: Mapping[str, str],
    files: dict[str, bytes],
    pull_request: bool,
) -> str:
    """Commit a pin, here or on a pull request's branch; give the line that says so.

    Args:
        root: the project's folder.
        lock: what `commits.moving` gave.
        environment: whose pin it is.
        pin: the new one.
        title: of the commit.
        more: trailers beside those of the pinned release.
        files: further files of the commit, by path.
        pull_request: push a branch and open a pull request; nothing moves here.
    """
    release = pin.release
    if release is None:
        raise Usage("a pin moves to a release, never to none")
    at = pins.path(environment)
    changes = {at: manifest.content(pin), **files}
    message = title + "\n\n" + _trailers(root, environment, release, more)
    head = repo.head(root)
    if pull_request:
        return proposal.propose(root, environment, head, commits.make(root, head, changes, message), title, message)
    try:
        branch = repo.git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    except RepositoryTrouble:
        raise RepositoryTrouble(
            "HEAD is detached: a commit here would be on no branch", "Check a branch out, or use --pull-request."
        ) from None
    new = commits.make(root, head, changes, message)
    commits.advance(root, lock, head, new, title, changes, at)
    return f"{title}: commit {new[:12]} on {branch}. Push it, or run `model deploy {environment}` where it is local."


def _trailers(root: Path, environment: str, release: Release, more: Mapping[str, str]) -> str:
    found = {"Environment": environment, "Release": release.id}
    number = _trained_by(root, release)
    if number is not None:
        found["Pull-request"] = f"#{number}"
    if (verdict := ledger.verdict_words(release)) is not None:
        found["Verdict"] = verdict
    if number is not None:
        rules = config.gates(root)
        lifted = overrides.of(rules.lifted(number), rules.names(), forge.connect(root), number).lifted
        if lifted:
            found["Override"] = " ".join("; ".join(f"{gate} ({why})" for gate, why in lifted.items()).split())
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
