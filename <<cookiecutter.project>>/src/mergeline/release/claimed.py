"""What each release claimed at its merge, with the two bundles and the day from which on rows are new to both."""

from datetime import date, timedelta
from pathlib import Path

import msgspec

from .. import store
from ..claims import Claim
from ..errors import MergelineError, RepositoryTrouble
from ..progress import step
from . import history, ledger
from .history import setting
from .manifest import Release


def run(root: Path, environment: str) -> list[Claim]:
    """Give what each release with a verdict claimed, with its two bundles where they can be had; oldest first.

    Raises:
        Usage: there is no such environment.
        RepositoryTrouble: the environment has had no release, or none of them was judged against another.
    """
    found, _, _ = history.live(root, environment)
    by_bundle = {release.model.bundle_id: release for release in ledger.releases(root).values()}
    with step("Bundles"):
        made = [claim for when, release in found if (claim := _claim(root, when, release, by_bundle)) is not None]
    if not made:
        raise RepositoryTrouble(
            f"no release of {environment} was judged against an earlier one, so none claimed a gain",
            "A release that `model compare` judged against a base has a claim.",
        )
    return made


def _claim(root: Path, when: str, release: Release, by_bundle: dict[str, Release]) -> Claim | None:
    verdict = release.verdict
    if verdict is None or verdict.against is None or verdict.difference is None:
        return None
    base = by_bundle.get(verdict.against)
    judging = base or release
    claim = Claim(
        release=release.id,
        when=when,
        code=release.code,
        word=verdict.word,
        metric=verdict.metric,
        difference=verdict.difference,
        interval=verdict.interval,
        group=setting(judging, "compare", "group"),
        split_group=setting(judging, "split", "group"),
        level=setting(judging, "compare", "level") or 0.95,
    )
    try:
        theirs = store.fetch(verdict.against, root, base.id if base else None)
        ours = store.fetch(release.model.bundle_id, root, release.id)
        ends = [_end(one) for one in (base, release) if one is not None]
    except MergelineError as why:
        return msgspec.structs.replace(claim, reason=str(why.args[0]))
    return msgspec.structs.replace(
        claim, models=(theirs, ours), end=max(ends)[0], by_as_of=all(sure for _, sure in ends)
    )


def _end(release: Release) -> tuple[str, bool]:
    """Give the first day of which a release knew no row, and whether data.as_of says so.

    Raises:
        RepositoryTrouble: neither data.as_of nor a period says it.
    """
    as_of: str | None = setting(release, "data", "as_of")
    if as_of is not None:
        return as_of, True
    if release.data.period is None:
        raise RepositoryTrouble(f"release {release.id[:12]} does not say until when it knew rows (data.as_of)")
    # A day more than the last one: that one is in the column's own time zone, days of rows are in UTC.
    return (date.fromisoformat(release.data.period[1]) + timedelta(days=2)).isoformat(), False
