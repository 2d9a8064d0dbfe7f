"""The noise of training: how much a difference moves when both recipes are trained anew on other halves of the groups.

The halves of base and candidate are the same ones, so what both gain or lose by them is no noise of their difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .. import statistics
from ..statistics import Estimate, Floats

FEWEST = 2

Source = Literal["of both", "of the base", "not measured"]


@dataclass(frozen=True, slots=True)
class Anew:
    """Scores of n rows by models trained anew, in the order of their halves; each shape (n,) or (n, classes)."""

    candidate: list[Floats]
    base: list[Floats]

    @property
    def source(self) -> Source:
        """Say whose noise is known."""
        if min(len(self.candidate), len(self.base)) >= FEWEST:
            return "of both"
        return "of the base" if len(self.base) >= FEWEST else "not measured"

    @property
    def count(self) -> int:
        """Give how many models of a side were trained anew."""
        return {"of both": min(len(self.candidate), len(self.base)), "of the base": len(self.base)}.get(self.source, 0)


NOTHING = Anew([], [])


def add(estimate: Estimate, anew: Anew, value: Callable[[Floats, str], float]) -> Estimate:
    """Add the noise to an estimate of candidate minus base.

    Where only the base was trained anew (the noise kept with main's release), the candidate is taken to be as noisy and
    nothing to cancel: the variance is twice the base's.

    Args:
        estimate: of the test rows.
        anew: see `Anew`.
        value: the metric of some scores of a side, "base" or "candidate".

    Raises:
        DegenerateRows: a model trained anew cannot be measured.
    """
    if anew.source == "not measured":
        return estimate
    theirs = [value(scores, "base") for scores in anew.base[: anew.count]]
    if anew.source == "of the base":
        deviation, freedom = statistics.deviation(theirs)
        return estimate.with_noise(2**0.5 * deviation, freedom)
    ours = [value(scores, "candidate") for scores in anew.candidate[: anew.count]]
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return estimate.with_noise(*statistics.deviation(differences))
