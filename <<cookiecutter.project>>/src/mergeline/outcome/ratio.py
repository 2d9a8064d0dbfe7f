"""The sample-ratio check: do the arms have as many units as their shares say?

Where they do not, something else than the hash decided who is in which arm (Fabijan et al. 2019, "Diagnosing sample ratio
mismatch in online controlled experiments"): a release that fails on some rows, a server that still has the old share, a
log that lacks lines. Then the arms differ before any release answers, and no difference between them can be trusted.
"""

import msgspec
from scipy import stats

BROKEN = 0.001
"""The p-value below which there is no verdict; it is that low because people look often."""
FEWEST = 5.0
"""Expected units of the smaller arm below which chi-square says nothing (Cochran 1954)."""


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Units of each arm, their share in the experiment's, and how likely one as far off is; null with too few units."""

    pinned: int
    beside: int
    share: float
    p_value: float | None

    @property
    def observed(self) -> float:
        """Give the share of the units that the experiment's release has."""
        return self.beside / (self.pinned + self.beside)

    @property
    def broken(self) -> bool:
        """Say whether the arms cannot be compared."""
        return self.p_value is not None and self.p_value < BROKEN


def check(pinned: int, beside: int, share: float) -> Ratio:
    """Compare the units of two arms with the share, by chi-square with one degree of freedom.

    Args:
        pinned: units that the pinned release answered.
        beside: units that the experiment's release answered; together at least one.
        share: of the units that it should have, above 0 and at most 1.
    """
    count = pinned + beside
    expected = [(1 - share) * count, share * count]
    enough = min(expected) >= FEWEST
    p_value = float(stats.chisquare([pinned, beside], expected).pvalue) if enough else None
    if share == 1 and pinned:
        p_value = 0.0
    return Ratio(pinned=pinned, beside=beside, share=share, p_value=p_value)
