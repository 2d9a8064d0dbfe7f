"""How often these held-out rows judged: each look is a chance to be called better by luck.

A comment ends with a hidden line that says what was judged. It is updated in place, so the lines of what it judged
before are carried along; lines that are too many for a comment are forgotten, the oldest first.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .report import Looks

MARK = "<!-- judged: "
LINE = re.compile(r"^<!-- judged: rows=(\w+) base=(\w+) candidate=(\w+) -->$", re.MULTILINE)
"""A line of its own: text of a pull request stands within lines only, see `words.clean`."""
MANY = 20
"""From this many looks on, the comment says what they cost."""
MOST_LINES = 80


@dataclass(frozen=True, slots=True)
class Judged:
    """What one comment judged at one time, by hash."""

    rows: str
    base: str
    candidate: str

    def __str__(self) -> str:
        return f"{MARK}rows={self.rows} base={self.base} candidate={self.candidate} -->"


def read(body: str) -> list[Judged]:
    """Give what a comment says it judged, the newest first."""
    return [Judged(*found.groups()) for found in LINE.finditer(body)]


def lines(judged: Sequence[Judged]) -> str:
    """Give the hidden lines of a comment, each once, of the newest first."""
    return "\n".join(map(str, list(dict.fromkeys(judged))[:MOST_LINES]))


def count(now: Judged, bodies: Sequence[str], released: Collection[str] = ()) -> Looks:
    """Count the different candidates that these rows judged; one that is its own base is no look.

    Args:
        now: what is judged now.
        bodies: of all comments that say what they judged.
        released: the bundles of all releases.
    """
    everything = {now, *(judged for body in bodies for judged in read(body))}
    looked = {j.candidate for j in everything if j.rows == now.rows and j.candidate != j.base}
    return Looks(candidates=len(looked), releases=len(looked.intersection(released)))


def chance(looks: int, level: float) -> float:
    """Give the chance of at least one false *better* when all candidates are as good as their base.

    Each look is a two-sided test, at 5% when the level is 95%; half of its errors say *better*. At worst the looks
    are independent.

    >>> round(chance(20, 0.95), 2)
    0.4
    """
    return float(1 - (0.5 + level / 2) ** looks)
