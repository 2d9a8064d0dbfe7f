"""Where the page draws what: plots and forests in pixels. The template writes them as SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import words
from .points import SAME
from .report import Curve, MetricRow, Point, SliceRow

WIDTH, HEIGHT = 360, 300
TOP, BOTTOM = 10, 44
TITLE, LETTER = 30, 7.2
"""How wide the title of the upright axis is with its margins, and a letter of a label at most."""
FOREST = 200
TICKS = 5
MOST_DOTS = 20

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Forest:
    """One row of a forest plot, in pixels from the left; better is to the right."""

    low: float
    high: float
    dot: float
    matters: Range | None
    word: str
    text: str
    width: float = FOREST


@dataclass(frozen=True, slots=True)
class Side:
    """One model's part of a plot: its line as SVG points, its dots with what they say, its upright lines."""

    line: str
    dots: list[tuple[float, float, str]]
    spans: list[tuple[float, float, float]]
    mark: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of both models, from `left` to `right` of its box; ticks are (pixel, label)."""

    curve: Curve
    left: float
    right: float
    sides: dict[str, Side]
    xs: list[tuple[float, str]]
    ys: list[tuple[float, str]]
    diagonal: tuple[float, float, float, float] | None
    level: float | None


def forest(row: MetricRow | SliceRow, matters: float | None, better: str, reach: float | None = None) -> Forest:
    """Place one interval with zero in the middle; `reach` is what fills half the width, by default the row's own."""
    difference = row.difference
    if difference is None:
        raise ValueError(row)
    sign = 1 if better == "higher" else -1
    low, high = sorted(sign * end for end in difference.interval)
    middle = FOREST / 2
    scale = (middle - 10) / (reach or max(abs(low), abs(high), 2 * (matters or 0)) or 1.0)
    return Forest(
        low=middle + low * scale,
        high=middle + high * scale,
        dot=middle + sign * difference.value * scale,
        matters=(max(0.0, middle - matters * scale), min(FOREST, middle + matters * scale)) if matters else None,
        word=row.word if matters else "same",
        text=f"{words.signed(difference.value, matters)}, interval {words.interval(difference, matters)}",
    )


def forests(rows: Sequence[SliceRow], matters: float | None, better: str) -> list[tuple[SliceRow, Forest]]:
    """Place several intervals on one scale."""
    reach = max((abs(end) for row in rows for end in row.difference.interval), default=0.0)
    return [(row, forest(row, matters, better, reach)) for row in rows]


def plot(curve: Curve) -> Plot:
    """Place a curve's lines on axes whose ticks are round numbers."""
    x_range, y_range = _ranges(curve)
    x_ticks, y_ticks = _labelled(x_range), _labelled(y_range)
    widest = max(len(label) for _, label in x_ticks)
    left = round(TITLE + LETTER * max(len(label) for _, label in y_ticks))
    right = WIDTH - round(LETTER * max(4, widest) / 2)
    px, py = _scale(x_range, left, right), _scale(y_range, HEIGHT - BOTTOM, TOP)
    room = (right - left) / (LETTER * (2 + widest))
    low, high = x_range
    sides = {"base": (curve.base, curve.marks[0]), "candidate": (curve.candidate, curve.marks[1])}
    return Plot(
        curve=curve,
        left=left,
        right=right,
        sides={
            name: Side(
                line=" ".join(f"{px(x)},{py(y)}" for x, y in (_steps(points) if curve.steps else _line(points))),
                dots=[(px(p.x), py(p.y), f"{name}: {p.x:.4g}, {p.y:.4g}") for p in points if len(points) <= MOST_DOTS],
                spans=[(px(p.x), py(p.low), py(p.high)) for p in points if p.low is not None and p.high is not None],
                mark=px(mark) if mark is not None and low <= mark <= high else None,
            )
            for name, (points, mark) in sides.items()
            if points
        },
        xs=[(px(at), label) for at, label in x_ticks[:: math.ceil(len(x_ticks) / room)]],
        ys=[(py(at), label) for at, label in y_ticks],
        diagonal=(px(low), py(low), px(high), py(high)) if curve.diagonal else None,
        level=py(curve.level) if curve.level is not None else None,
    )


def ticks(over: Range) -> list[float]:
    """Give about five round numbers within a range.

    >>> ticks((0, 1)), ticks((-0.3, 2.1))
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 0.5, 1.0, 1.5, 2.0])
    """
    step = _step(over)
    first, last = math.ceil(over[0] / step - 1e-9), math.floor(over[1] / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _labelled(over: Range) -> list[tuple[float, str]]:
    """Give ticks with their labels, which are as long as it takes to tell them apart."""
    found = ticks(over)
    labels = [[f"{at:.{digits}g}" for at in found] for digits in (3, 6, 12)]
    return list(
        zip(found, next(all_ for all_ in labels if len({*all_}) == len(found) or all_ is labels[-1]), strict=True)
    )


def _step(over: Range) -> float:
    rough = (over[1] - over[0]) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= rough * 0.75))


def _ranges(curve: Curve) -> tuple[Range, Range]:
    points = [*curve.base, *curve.candidate]
    xs = [p.x for p in points]
    ys = [at for p in points for at in (p.y, p.low, p.high) if at is not None]
    ys += [curve.level] if curve.level is not None else []
    if all(0 <= at <= 1 for at in (*xs, *ys)) and max(*xs, *ys) > 0.5:
        return (0.0, 1.0), (0.0, 1.0)
    if curve.diagonal:
        both = _wide(min(*xs, *ys), max(*xs, *ys))
        return both, both
    if curve.steps:
        return _apart(min(xs), max(xs)), (0.0, _wide(0.0, max(ys))[1])
    return _wide(min(xs), max(xs)), _wide(min(ys), max(ys))


def _wide(low: float, high: float) -> Range:
    """Widen a range to the ticks around it."""
    low, high = _apart(low, high)
    step = _step((low, high))
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _apart(low: float, high: float) -> Range:
    """Give a range that is wide enough to have ticks."""
    if high - low <= SAME * max(abs(low), abs(high)):
        return low - (abs(low) or 1) / 2, low + (abs(low) or 1) / 2
    return low, high


def _scale(over: Range, start: float, end: float) -> Callable[[float], float]:
    return lambda at: round(start + (at - over[0]) / (over[1] - over[0]) * (end - start), 1)


def _line(points: Sequence[Point]) -> list[tuple[float, float]]:
    return [(p.x, p.y) for p in points]


def _steps(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Give the outline of bars, from the axis and back to it."""
    tops = [(x, left.y) for left, right in pairwise(points) for x in (left.x, right.x)]
    return [(points[0].x, 0.0), *tops, (points[-1].x, 0.0)]
