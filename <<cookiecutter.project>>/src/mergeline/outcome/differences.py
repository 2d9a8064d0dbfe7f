"""The difference of two releases in an experiment, with an interval for one look and one for as many as you like.

A fixed interval holds for a single look at a moment that was chosen before. People look every day and stop when they
like what they see; then it excludes a true zero far more often than it says. The always-valid interval holds at all
looks together: it is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024,
"Time-uniform central limit theory and asymptotic confidence sequences", theorem 2.2, two-sided), whose boundary is
Robbins' normal mixture (1970).

Two arms are independent samples, so their variances add. Over time the difference of two means behaves as one mean of
n = n1 n2 / (n1 + n2) units does, however the arms grow (the information of Jennison & Turnbull 1997, where both arms vary
alike): that is the n of the sequence. For pairs it is the number of groups.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from ..statistics import Estimate, Floats

TIGHTEST = 500
"""The n at which a sequence is tightest: 1,000 units in each of two even arms, or 5,600 of which one arm has a tenth.

A sequence holds only where this does not depend on what was seen. At level 95% it is then 1.55 times as wide as the fixed
interval, and below twice as wide from n = 50 to 500,000.
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """The experiment's release minus the pinned one, in the figure's unit.

    `error` is the standard error by groups with its degrees of freedom, `units` the n of the sequence, `groups` how many
    independent groups the smaller arm has.
    """

    value: float
    error: float
    freedom: float
    units: float
    groups: int

    def fixed(self, level: float) -> tuple[float, float]:
        """Give the interval for one look, from Student's t."""
        half = float(stats.t.ppf(0.5 + level / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def always(self, level: float) -> tuple[float, float]:
        """Give the interval that holds at all looks together."""
        half = float(reach(self.units, self.freedom, level)) * self.error
        return self.value - half, self.value + half


def paired(found: Estimate) -> Gap:
    """Take the difference of two releases on the same rows."""
    return Gap(found.value, found.error, found.freedom, found.groups, found.groups)


def unpaired(pinned: Estimate, beside: Estimate) -> Gap:
    """Subtract two independent arms; degrees of freedom by Satterthwaite (1946)."""
    squares = [one.standard_error**2 for one in (pinned, beside)]
    counts = [one.groups for one in (pinned, beside)]
    parts = sum(square**2 / (count - 1) for square, count in zip(squares, counts, strict=True))
    return Gap(
        value=beside.value - pinned.value,
        error=sum(squares) ** 0.5,
        freedom=sum(squares) ** 2 / parts if parts else sum(counts) - 2,
        units=counts[0] * counts[1] / sum(counts),
        groups=min(counts),
    )


def reach(units: float | Floats, freedom: float | Floats, level: float) -> Floats:
    """Give how many standard errors an always-valid interval reaches to each side.

    The sequence takes the variance as known. With few groups it is not, so this is the value of Student's t with the same
    probability beyond it: the sequence's own as groups grow many.

    Args:
        units: n, a number or shape (k,).
        freedom: degrees of freedom of the standard error, likewise.
        level: 1 - alpha.
    """
    return np.asarray(stats.t.isf(stats.norm.sf(critical(units, level)), freedom))


def critical(units: float | Floats, level: float) -> Floats:
    """Give the boundary of the sequence in standard errors, for a known variance.

    With x = n rho^2 this is sqrt((x + 1) / x * 2 log(sqrt(x + 1) / alpha)). Its least in x is where
    x = log(x + 1) - 2 log(alpha), that is x = -W(-alpha^2 / e) - 1 on the lower branch of Lambert's W: so rho^2 is that x
    over `TIGHTEST`.

    Args:
        units: n, a number or shape (k,).
        level: 1 - alpha.
    """
    alpha = 1 - level
    best = -special.lambertw(-(alpha**2) / np.e, k=-1).real - 1
    x = np.asarray(units, dtype=np.float64) * best / TIGHTEST
    return np.asarray(np.sqrt((x + 1) / x * 2 * np.log(np.sqrt(x + 1) / alpha)))


def times_needed(gap: Gap, matters: float, level: float) -> float | None:
    """Give how many times as many units make the always-valid interval reach `matters` to each side, at least 1.

    From the standard error alone, never from the observed difference (Hoenig & Heisey 2001). None where 10,000 times as
    many do not.
    """
    times = np.geomspace(1, 10_000, 1000)
    enough = times[critical(times * gap.units, level) * gap.error / np.sqrt(times) <= matters]
    return float(enough[0]) if len(enough) else None
