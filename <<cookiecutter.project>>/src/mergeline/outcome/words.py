"""What a person reads of an experiment: sentences, and figures as exact as their intervals."""

import math

from .figures import Figure
from .ratio import BROKEN, Ratio

LOOKS = "One look: at a moment chosen before. Always: however often you look; the verdict rests on it."
TINY = 1e-6
FEW, MOST = 4, 5
NOTHING = 1e-9
"""Of a difference: below this part of it an interval is what rounding left of none."""
TITLES = {"better": "Better", "worse": "Worse", "same": "Same", "cannot tell": "Cannot tell"}


def ratio(found: Ratio, unit: str) -> str:
    """Say whether the arms have as many units as their share says."""
    told = f"{found.beside:,} of {found.pinned + found.beside:,} {unit} ({percent(found.observed)}"
    told += f" for a share of {percent(found.share)}"
    if found.p_value is None:
        return f"Sample ratio not checked: {told}), too few to say."
    chance = f"p = {found.p_value:.2g}" if found.p_value > TINY else f"p below {TINY:g}"
    if found.broken:
        return (
            f"SAMPLE RATIO BROKEN: {told}, {chance}, below {BROKEN:g}). The arms are not what the share says, so they "
            "differ in more than their release."
        )
    return f"Sample ratio as it should be: {told}, {chance})."


def cells(figure: Figure) -> list[str]:
    """Give a row of the table of figures: both values, the difference and its two intervals."""
    if figure.difference is None or figure.fixed is None or figure.always is None:
        return ["", "", "not measured", "", ""]
    places = _places(figure)
    values = ["" if value is None else f"{value:.{places}f}" for value in (figure.pinned, figure.beside)]
    sign = "" if figure.pinned is None else "+"  # what both do together is no difference
    spans = [f"[{low:{sign}.{places}f}, {high:{sign}.{places}f}]" for low, high in (figure.fixed, figure.always)]
    return [*values, f"{figure.difference:{sign}.{places}f}", *spans]


def sentence(figure: Figure, level: float, unit: str) -> str:
    """Say the verdict of a metric that has one."""
    said = TITLES[figure.word or "cannot tell"]
    if figure.difference is None or figure.always is None or figure.pinned is None or figure.beside is None:
        return f"{said}: {figure.name} could not be measured: {figure.reason}."
    places, (low, high) = _places(figure), figure.always
    told = f"{said}: {figure.name} {figure.pinned:.{places}f} → {figure.beside:.{places}f} "
    told += f"({figure.difference:+.{places}f}, {100 * level:.4g}% interval {low:+.{places}f} to {high:+.{places}f}, "
    told += "valid however often you look)"
    return f"{told}{_because(figure, unit)}."


def _because(figure: Figure, unit: str) -> str:
    if figure.word == "same":
        return f"; surely less than the {figure.matters:g} that matters"
    if figure.word != "cannot tell" or figure.always is None or not figure.matters:
        return ""
    if figure.reason:
        return f"; {figure.reason}"
    if figure.always[0] > 0 or figure.always[1] < 0:
        return f"; there is a difference, but less than the {figure.matters:g} that matters was seen"
    if figure.needed is None:
        return f"; it may as well be chance, and no number of {unit} in reach tells {figure.matters:g} from none"
    return (
        f"; it may as well be chance: telling {figure.matters:g} from none takes about {_rounded(figure.needed)} {unit}"
    )


def _places(figure: Figure) -> int:
    """Give the decimals that show two digits of the interval's half width, 5 at most."""
    if figure.fixed is None or figure.difference is None:
        return FEW
    half = (figure.fixed[1] - figure.fixed[0]) / 2
    if half <= NOTHING * abs(figure.difference):
        return FEW
    return min(MOST, max(0, 1 - math.floor(math.log10(half))))


def milliseconds(value: float | None) -> str:
    """Show a time by three digits, or by all of its whole ones."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percent(share: float) -> str:
    """Show a share by three digits."""
    return f"{100 * share:.3g}%"


def _rounded(number: float) -> str:
    step = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return f"{math.ceil(number / step) * step:,}"
