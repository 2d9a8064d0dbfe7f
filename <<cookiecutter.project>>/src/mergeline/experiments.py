"""What those who pin, serve and judge an experiment all know: its kinds, its limits, its course, who stands beside whom."""

from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from .bundle import Signature

Kind: TypeAlias = Literal["ab", "shadow", "canary"]
LIMITS = ("errors", "latency_ms", "score_min", "score_max")
"""The share of requests that its bundle failed on, the 95th percentile of its time on one, bounds of its mean score."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as the pins of an environment tell it.

    `pinned` and `release` are the ids of the two releases, with their bundles. `key` names the column whose values keep
    their arm, `share` is the present one, `since` when it began to hold; `ended` is null while the experiment runs.
    """

    environment: str
    pinned: str
    pinned_bundle: str
    release: str
    bundle: str
    kind: Kind
    share: float
    key: str | None
    since: datetime
    ended: datetime | None = None


def moment(said: str) -> datetime:
    """Read a time in ISO 8601, in UTC where it says no other. Raises ValueError."""
    found = datetime.fromisoformat(said)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def unlike(ours: Signature, theirs: Signature) -> str | None:
    """Say why two releases cannot answer the same requests in the same words; None where they can."""
    differing = {(c.name, c.kind) for c in ours.columns} ^ {(c.name, c.kind) for c in theirs.columns}
    if differing:
        return f"the two releases take different columns: {', '.join(sorted({name for name, _ in differing})[:6])}"
    if (ours.task, ours.classes) != (theirs.task, theirs.classes):
        return "the two releases differ in task or classes"
    return None
