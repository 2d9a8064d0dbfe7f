"""The experiment of an environment as its pins in git tell it: which releases, by which key, which share since when."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from .. import forge, repo
from ..errors import ForgeTrouble, Integrity, Usage
from ..experiments import Course, moment
from . import manifest, pins, records
from .manifest import Experiment, Pin


def of(root: Path, environment: str) -> Course:
    """Give the experiment that runs, else the one that ran last.

    Its share holds since the deployment of the commit that set it, or since that commit where no deployment is known.

    Raises:
        Usage: there is no such environment, or no experiment ever ran there.
        Integrity: a pin on the way is not what its hashes say.
    """
    pins.check(root, environment)
    ended: str | None = None
    history = _history(root, environment)
    for commit, when, pin in history:
        if pin.experiment is not None and pin.release is not None:
            return Course(
                environment=environment,
                pinned=pin.release.id,
                pinned_bundle=pin.release.model.bundle_id,
                release=pin.experiment.release.id,
                bundle=pin.experiment.release.model.bundle_id,
                kind=pin.experiment.kind,
                share=pin.experiment.share,
                key=pin.experiment.key,
                since=_held_since(root, environment, (commit, when), pin.release.id, pin.experiment, history),
                ended=moment(ended) if ended else None,
            )
        ended = when
    raise Usage(
        f"no experiment ever ran in {environment}, as far as git knows",
        f"`model experiment start {environment}` starts one; a shallow clone wants `git fetch --unshallow`.",
    )


def _held_since(
    root: Path,
    environment: str,
    newest: tuple[str, str],
    pinned: str,
    experiment: Experiment,
    older: Iterator[tuple[str, str, Pin]],
) -> datetime:
    """Give when the share of an experiment began to hold; `newest` is a commit that has it, and its time."""
    commit, when = newest
    with suppress(Integrity):  # what lies behind a broken pin is another time
        for at, time, pin in older:
            if pin.release is None or pin.release.id != pinned or not _alike(pin.experiment, experiment):
                break
            commit, when = at, time
    return moment(_deployed(root, environment, commit) or when)


def _alike(one: Experiment | None, other: Experiment) -> bool:
    names = ("kind", "share", "key")
    return (
        one is not None
        and one.release.id == other.release.id
        and all(getattr(one, name) == getattr(other, name) for name in names)
    )


def _history(root: Path, environment: str) -> Iterator[tuple[str, str, Pin]]:
    """Give commit, time and pin of every move, newest first. Raises Integrity at a broken pin."""
    path = pins.path(environment)
    for line in repo.git(root, "log", "--format=%H %cI", "--", path).splitlines():
        commit, when = line.split(" ", 1)
        content = repo.show(root, commit, path)
        pin = manifest.parse_pin(content, f"{environment} at {commit[:12]}") if content else Pin(release=None)
        yield commit, when, pin


def _deployed(root: Path, environment: str, commit: str) -> str | None:
    """Give when a commit's pin was deployed, from the forge or a git note; None where neither says."""
    with suppress(ForgeTrouble):
        connected = forge.connect(root)
        if connected and (found := records.of_forge(connected, commit, environment, None)):
            return found.created if found.state == "success" else None
    note = repo.git(root, "log", "-1", f"--notes={records.NOTES}", "--format=%N", commit)
    told = [d.created for d in records.parse(note) if (d.environment, d.state) == (environment, "success")]
    return told[0] if told else None
