"""Experiments: commits that put a second release beside a pinned one, change its share, and take it away."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from .. import bundle, config, store
from ..bundle import Signature
from ..errors import Conflict, Usage
from ..experiments import LIMITS, Kind, unlike
from . import commits, ledger, pins, promotion, targets, terraform
from .manifest import Experiment, Pin, Release

CANARY = {"errors": 0.01}
"""What a canary without limits may not exceed: one that nothing stops is none."""


def start(
    root: Path,
    environment: str,
    *,
    release: str,
    kind: Kind,
    share: float | None,
    key: str | None,
    limits: Sequence[str],
    pull_request: bool,
) -> str:
    """Put a release beside the pinned one.

    Args:
        root: the project's folder.
        environment: whose pin changes.
        release: an id or its start.
        kind: how it is served.
        share: of the keys, above 0 and at most 1; None is a tenth, and all for a shadow.
        key: the column whose values keep their arm; None where the request's header or id is the key.
        limits: each NAME=NUMBER, of `LIMITS`.
        pull_request: push a branch and open a pull request; nothing moves here.

    Raises:
        Usage: no release is pinned, the same one is, it is not known or has no image that the environment's target runs,
            or an option does not fit.
        Conflict: an experiment runs, or the release did not run in the environment before.
        RepositoryTrouble, Integrity: as `promotion.promote`.
    """
    if kind == "shadow" and (share is not None or limits or key):
        raise Usage("a shadow scores every request and answers none", "Leave --share, --key and --limit out.")
    share = _share(share if share is not None else 1.0 if kind == "shadow" else 0.1)
    known_limits = _limits(limits) or (CANARY if kind == "canary" else {})
    with commits.moving(root) as lock:
        current = pins.committed(root, environment)
        pinned = _pinned(current, environment)
        if current.experiment is not None:
            raise Conflict(
                f"an experiment runs in {environment}: {current.experiment.words()}",
                f"`model experiment stop {environment}` ends it.",
            )
        known = ledger.releases(root)
        if (built := pins.built(root)) is not None:
            known[built.id] = built
        chosen = pins.find(known, release)
        if chosen.id == pinned.id:
            raise Usage(f"{environment} is pinned to {chosen.id[:12]} already", "Name another with --release.")
        targets.need_image(terraform.target(root, environment), environment, chosen)
        order = config.gates(root).promotion.order
        if environment in order[1:]:
            promotion.ran(root, order[order.index(environment) - 1], chosen)
        promotion.not_failed(root, environment, chosen)
        _fits(_signature(root, pinned), _signature(root, chosen), key)
        made = Experiment(release=chosen, kind=kind, share=share, key=key, limits=dict(known_limits))
        title = f"Start {made.words()} in {environment}"
        return _move(root, lock, environment, current, made, title, pull_request)


def step(root: Path, environment: str, *, share: float, pull_request: bool) -> str:
    """Give the experiment that runs another share; a larger one keeps every key that it has.

    Raises:
        Usage: no experiment runs, it is a shadow, or the share is the same or none.
        RepositoryTrouble, Integrity, Conflict: as `promotion.promote`.
    """
    share = _share(share)
    with commits.moving(root) as lock:
        current = pins.committed(root, environment)
        running = _running(current, environment)
        if running.kind == "shadow":
            raise Usage("a shadow scores every request: it has no share", "Stop it, and start an ab or a canary.")
        if running.share == share:
            raise Usage(f"the share in {environment} is {share:g} already", "Name another with --share.")
        made = msgspec.structs.replace(running, share=share)
        title = f"Step {made.words()} in {environment}"
        return _move(root, lock, environment, current, made, title, pull_request)


def stop(root: Path, environment: str, *, pull_request: bool) -> str:
    """Take the experiment away; the pinned release answers alone.

    Raises:
        Usage: no experiment runs.
        RepositoryTrouble, Integrity, Conflict: as `promotion.promote`.
    """
    with commits.moving(root) as lock:
        current = pins.committed(root, environment)
        title = f"Stop {_running(current, environment).words()} in {environment}"
        return _move(root, lock, environment, current, None, title, pull_request)


def _move(
    root: Path,
    lock: int,
    environment: str,
    current: Pin,
    experiment: Experiment | None,
    title: str,
    pull_request: bool,
) -> str:
    pin = msgspec.structs.replace(current, experiment=experiment)
    more = {"Experiment": experiment.words() if experiment else "none"}
    return promotion.move(root, lock, environment, pin, title, more, {}, pull_request)


def _pinned(pin: Pin, environment: str) -> Release:
    if pin.release is None:
        raise Usage(f"{environment} has no release to stand beside", f"`model promote {environment}` pins one.")
    return pin.release


def _running(pin: Pin, environment: str) -> Experiment:
    if pin.experiment is None:
        raise Usage(f"no experiment runs in {environment}", f"`model experiment start {environment}` starts one.")
    return pin.experiment


def _share(share: float) -> float:
    if not 0 < share <= 1:
        raise Usage(f"a share of {share:g} is not above 0 and at most 1", "Give --share 0.1 for a tenth.")
    return share


def _limits(given: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in given:
        name, _, value = one.partition("=")
        try:
            found[name] = msgspec.convert(value, float, strict=False)
        except msgspec.ValidationError:
            name = ""
        if name not in LIMITS:
            raise Usage(f"--limit {one!r:.80} is none", f"Give NAME=NUMBER, NAME one of {', '.join(LIMITS)}.")
    return found


def _signature(root: Path, release: Release) -> Signature:
    folder = store.fetch(release.model.bundle_id, root, release.id)
    return msgspec.json.decode((folder / bundle.SIGNATURE).read_bytes(), type=Signature)


def _fits(ours: Signature, theirs: Signature, key: str | None) -> None:
    """Refuse a release that could not answer the same requests in the same words. Raises Usage."""
    if reason := unlike(ours, theirs):
        raise Usage(reason, "Promote it: an experiment answers the requests of the pinned one.")
    columns = [c.name for c in ours.columns]
    if key is not None and key not in columns:
        raise Usage(
            f"the key {key!r:.60} is no column of the model",
            f"Name one of {', '.join(columns)}; or leave --key out and send the header x-experiment-key.",
        )
