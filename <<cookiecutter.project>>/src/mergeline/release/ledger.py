"""The history of all pins, read from git: who moved which when, with which verdict, and what happened then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.table import Table

from .. import forge, repo
from ..errors import ForgeTrouble, Integrity
from . import manifest, pins, records
from .manifest import Experiment, Pin, Release
from .records import Deployment

FORMAT = "%x1e%H%x1f%an%x1f%cI%x1f%(trailers:only,unfold)%x1f%N%x1f."
ASKED = 20
"""For how many of the newest moves the forge is asked; each costs requests."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One commit that moved one pin. `deployments` are oldest first; `experiment` is the one that it is about."""

    environment: str
    commit: str
    when: str
    who: str
    action: str
    release: str | None
    replaced: str | None
    verdict: str | None = None
    pull_request: str | None = None
    override: str | None = None
    reason: str | None = None
    experiment: str | None = None
    approved_by: list[str] = []
    deployments: list[Deployment] = []

    @property
    def last(self) -> Deployment | None:
        """Give the newest deployment."""
        return self.deployments[-1] if self.deployments else None

    def words(self) -> list[str]:
        """Say verdict, origin, reason and people, a line each."""
        said = [
            self.experiment,
            self.verdict,
            self.pull_request and f"trained by {self.pull_request}",
            self.override and f"override: {self.override}",
            self.reason,
            f"by {self.who}",
            self.approved_by and f"approved by {', '.join(self.approved_by)}",
        ]
        return [str(text) for text in said if text]


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """All moves, newest first, and the releases that they name."""

    moves: list[Move]
    note: str | None = None

    def table(self) -> Any:
        """Draw it; the first, empty pins are left out."""
        table = Table(box=box.SIMPLE_HEAD)
        for title in ("when", "environment", "what", "release", "deployed"):
            table.add_column(title, no_wrap=True)
        table.add_column("")
        for m in self.moves:
            if m.action == "created":
                continue
            failed = [m.last.description] if m.last and m.last.state == "failure" else []
            state, words = m.last.state if m.last else "", "; ".join([*m.words(), *failed])
            table.add_row(m.when[:16], m.environment, m.action, (m.release or "none")[:12], state, words)
        table.caption = self.note
        return table


def run(root: Path, environment: str | None) -> Ledger:
    """Read the ledger of one environment or of all.

    Raises:
        Usage: there is no such environment.
    """
    if environment is not None:
        pins.check(root, environment)
    found = [m for name in ([environment] if environment else pins.environments(root)) for m in moves(root, name)]
    found.sort(key=lambda m: m.when, reverse=True)
    note = None
    try:
        connected = forge.connect(root)
        if connected is not None:
            found = [_asked(root, connected, m) if i < ASKED else m for i, m in enumerate(found)]
    except ForgeTrouble as trouble:
        note = f"The forge was not asked further: {trouble}"
    return Ledger(moves=found, note=note)


def moves(root: Path, environment: str) -> list[Move]:
    """Read the moves of one pin from git, newest first, with what git notes say about deployments."""
    log = repo.git(root, "log", f"--notes={records.NOTES}", f"--format={FORMAT}", "--", pins.path(environment))
    entries = [entry.split("\x1f") for entry in log.split("\x1e")[1:]]
    oldest_first: list[Move] = []
    seen: set[str] = set()
    replaced: Release | None = None
    beside: Experiment | None = None
    for commit, who, when, trailers, note, _ in reversed(entries):
        said = dict(line.split(": ", 1) for line in trailers.splitlines() if ": " in line)
        try:
            pin = _pinned(root, commit, environment)
        except Integrity as broken:
            oldest_first.append(
                Move(
                    environment=environment,
                    commit=commit,
                    when=when,
                    who=who,
                    action="broken",
                    release=None,
                    replaced=replaced.id if replaced else None,
                    reason=broken.args[0],
                )
            )
            continue
        release = pin.release
        if release is None:
            action = "removed" if oldest_first else "created"
        elif said.get("Release") != release.id:
            action = "by hand"
        elif replaced is not None and release.id == replaced.id and pin.experiment != beside:
            action = "stopped" if pin.experiment is None else "stepped" if _same(pin.experiment, beside) else "started"
        else:
            action = "rolled back" if release.id in seen else "promoted"
        oldest_first.append(
            Move(
                environment=environment,
                commit=commit,
                when=when,
                who=who,
                action=action,
                release=release.id if release else None,
                replaced=replaced.id if replaced else None,
                verdict=_verdict(release, replaced) if release else None,
                pull_request=said.get("Pull-request"),
                override=said.get("Override"),
                reason=said.get("Reason"),
                experiment=_experiment(pin.experiment, beside),
                deployments=[d for d in records.parse(note) if d.environment == environment],
            )
        )
        if release is not None:
            seen.add(release.id)
        replaced, beside = release, pin.experiment
    return oldest_first[::-1]


def releases(root: Path, environment: str | None = None) -> dict[str, Release]:
    """Give every verified release that a pin has named, by id: all of an environment, or all and those of experiments."""
    found: dict[str, Release] = {}
    for name in [environment] if environment else pins.environments(root):
        for commit in repo.git(root, "log", "--format=%H", "--", pins.path(name)).split():
            try:
                pin = _pinned(root, commit, name)
            except Integrity:
                continue  # the ledger shows it as broken
            # One that only an experiment served was pinned nowhere, and may be yet.
            beside = pin.experiment.release if pin.experiment and environment is None else None
            found.update({one.id: one for one in (beside, pin.release) if one is not None and one.id not in found})
    return found


def last_deployment(root: Path, environment: str, release: str) -> Deployment | None:
    """Give what happened last when this release was deployed there, from the forge or git notes."""
    return next((found for _, found in _deployments(root, environment, release)), None)


def ran(root: Path, environment: str, release: str) -> Pin | None:
    """Give the last pin of a release that was deployed there with success, its experiment included.

    Where no record says so, or the forge, which keeps them, is silent, it is the release alone; None where no pin of
    this history names it.
    """
    try:
        for move, found in _deployments(root, environment, release):
            if found.state == "success":
                return _pinned(root, move.commit, environment)
    except ForgeTrouble:
        pass
    known = releases(root).get(release)
    return Pin(release=known) if known else None


def approvals(root: Path, environment: str) -> list[str]:
    """Give who approved the pull request that moved the pin last; none where no forge is connected.

    Raises:
        ForgeTrouble: the forge does not answer.
    """
    connected = forge.connect(root)
    return _approvals(root, connected, pins.commit_of(root, environment)) if connected else []


def verdict_words(release: Release) -> str | None:
    """Say a reviewed verdict in one line, e.g. "better roc_auc +0.0321 [0.0110, 0.0530]"."""
    verdict = release.verdict
    if verdict is None:
        return None
    words = f"{verdict.word} {verdict.metric}"
    if verdict.difference is not None:
        words += f" {verdict.difference:+.4f}"
    if verdict.interval is not None:
        words += " [{:.4f}, {:.4f}]".format(*verdict.interval)
    return words


def _pinned(root: Path, commit: str, environment: str) -> Pin:
    content = repo.show(root, commit, pins.path(environment))
    return manifest.parse_pin(content, f"{environment} at {commit[:12]}") if content is not None else Pin(release=None)


def _same(now: Experiment, before: Experiment | None) -> bool:
    return before is not None and (now.release.id, now.kind) == (before.release.id, before.kind)


def _experiment(now: Experiment | None, before: Experiment | None) -> str | None:
    if now == before:
        return None
    return now.words() if now else f"ends {before.words()}" if before else None


def _verdict(release: Release, replaced: Release | None) -> str | None:
    words = verdict_words(release)
    against = release.verdict.against if release.verdict else None
    if words and replaced and against and against != replaced.model.bundle_id:
        words += " (judged against another release than the one it replaced)"
    return words


def _deployments(root: Path, environment: str, release: str) -> Iterator[tuple[Move, Deployment]]:
    """Give each move to a release that was deployed, newest first, with its last deployment. Raises ForgeTrouble."""
    connected = forge.connect(root)
    for move in moves(root, environment):
        if move.release == release:
            found = records.of_forge(connected, move.commit, environment, release) if connected else None
            if found := found or move.last:
                yield move, found


def _asked(root: Path, connected: forge.Forge, move: Move) -> Move:
    of_forge = records.of_forge(connected, move.commit, move.environment, move.release)
    return msgspec.structs.replace(
        move,
        deployments=[*move.deployments, of_forge] if of_forge else move.deployments,
        approved_by=_approvals(root, connected, move.commit),
    )


def _approvals(root: Path, connected: forge.Forge, commit: str) -> list[str]:
    request = connected.pull_request_of(_merge_of(root, commit))
    return connected.approvals(request.number) if request else []


def _merge_of(root: Path, commit: str) -> str:
    """Give the merge that brought a commit to this branch; the commit itself where it was made on it."""
    on_branch = repo.git(root, "rev-list", "--first-parent", "HEAD").split()
    if commit in on_branch:
        return commit
    merges = repo.git(root, "rev-list", "--ancestry-path", "--first-parent", "--reverse", f"{commit}..HEAD").split()
    return merges[0] if merges else commit
