"""What those who pin an experiment and those who serve it both know: its kinds, its limits, and who may stand beside whom."""

from typing import Literal, TypeAlias

from .bundle import Signature

Kind: TypeAlias = Literal["ab", "shadow", "canary"]
LIMITS = ("errors", "latency_ms", "score_min", "score_max")
"""The share of requests that its bundle failed on, the 95th percentile of its time on one, bounds of its mean score."""


def unlike(ours: Signature, theirs: Signature) -> str | None:
    """Say why two releases cannot answer the same requests in the same words; None where they can."""
    differing = {(c.name, c.kind) for c in ours.columns} ^ {(c.name, c.kind) for c in theirs.columns}
    if differing:
        return f"the two releases take different columns: {', '.join(sorted({name for name, _ in differing})[:6])}"
    if (ours.task, ours.classes) != (theirs.task, theirs.classes):
        return "the two releases differ in task or classes"
    return None
