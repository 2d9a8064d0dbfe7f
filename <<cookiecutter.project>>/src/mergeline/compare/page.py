"""report.html: one file with everything, no network. The template escapes every value; plots are inline SVG."""

from dataclasses import dataclass
from typing import Any

import jinja2

from . import tables, words
from .report import Curve, MetricRow, Point, Report, SliceRow

WIDTH, HEIGHT, MARGIN = 380, 320, 44
LONG = 640


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a forest plot, in pixels from the left; better is to the right."""

    low: float
    high: float
    dot: float
    matters: tuple[float, float] | None
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A curve plot: polylines as SVG points, ticks as (pixel, label)."""

    curve: Curve
    lines: dict[str, str]
    dots: dict[str, list[tuple[float, float, str]]]
    xs: list[tuple[float, str]]
    ys: list[tuple[float, str]]
    diagonal: tuple[float, float, float, float] | None


def render(report: Report) -> str:
    """Give the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mergeline.compare", ""), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        number=words.number, signed=words.signed, interval=words.interval, clean=words.clean, css=css_class
    )
    return environment.get_template("page.html").render(
        report=report,
        sentence=words.sentence(report, bold=False),
        title=words.TITLES.get(report.word or "", "First model"),
        where=words.where(report.judged),
        unit=words.unit(report.judged),
        lines={row.name: _line(row, row.matters, row.better) for row in report.metrics if row.difference},
        slices=[(row, _slice(row, report)) for row in report.slices.moved],
        matters=primary.matters if (primary := report.row(report.primary)) else None,
        longest=max([abs(at or 0) for row in report.importance for at in (row.base, row.candidate)], default=0) or 1.0,
        tables=[table for table in tables.of(report) if table.rows],
        plots=[_plot(curve) for curve in report.curves if curve.candidate],
        size={"width": WIDTH, "height": HEIGHT, "margin": MARGIN, "long": LONG},
    )


def _line(row: MetricRow | SliceRow, matters: float | None, better: str, reach: float | None = None) -> Line:
    """Place one interval on an axis of 240 pixels with zero in the middle."""
    difference = row.difference
    if difference is None:
        raise ValueError(row)
    sign = 1 if better == "higher" else -1
    low, high = sorted(sign * end for end in difference.interval)
    scale = 110 / (reach or max(abs(low), abs(high), 2 * (matters or 0)) or 1.0)
    edges = (120 - (matters or 0) * scale, 120 + (matters or 0) * scale) if matters else None
    text = f"{words.signed(difference.value, matters)}, interval {words.interval(difference, matters)}"
    return Line(
        120 + low * scale,
        120 + high * scale,
        120 + sign * difference.value * scale,
        edges,
        row.word if matters else "same",
        text,
    )


def _slice(row: SliceRow, report: Report) -> Line:
    primary = report.row(report.primary)
    reach = max(abs(end) for moved in report.slices.moved for end in moved.difference.interval) or 1.0
    return _line(row, primary.matters if primary else None, primary.better if primary else "higher", reach)


def _plot(curve: Curve) -> Plot:
    everything = [*curve.base, *curve.candidate]
    xs, ys = [point.x for point in everything], [point.y for point in everything]
    if curve.diagonal:
        unit = all(0 <= at <= 1 for at in (*xs, *ys))
        low, high = (0.0, 1.0) if unit and max(*xs, *ys) > 0.5 else (min(*xs, *ys), max(*xs, *ys))
        x_range = y_range = (low, high)
    else:
        x_range, y_range = (min(xs), max(xs)), (min(ys), max(ys))

    def px(x: float) -> float:
        return round(MARGIN + (x - x_range[0]) / ((x_range[1] - x_range[0]) or 1) * (WIDTH - 2 * MARGIN + 24), 1)

    def py(y: float) -> float:
        return round(
            HEIGHT - MARGIN - (y - y_range[0]) / ((y_range[1] - y_range[0]) or 1) * (HEIGHT - 2 * MARGIN + 24), 1
        )

    sides: dict[str, list[Point]] = {"base": curve.base, "candidate": curve.candidate}
    return Plot(
        curve=curve,
        lines={side: " ".join(f"{px(p.x)},{py(p.y)}" for p in points) for side, points in sides.items() if points},
        dots={
            side: [(px(p.x), py(p.y), f"{side}: {p.x:.4g}, {p.y:.4g}") for p in points]
            for side, points in sides.items()
            if len(points) <= 20
        },
        xs=[(px(at), f"{at:.3g}") for at in _ticks(*x_range)],
        ys=[(py(at), f"{at:.3g}") for at in _ticks(*y_range)],
        diagonal=(px(x_range[0]), py(x_range[0]), px(x_range[1]), py(x_range[1])) if curve.diagonal else None,
    )


def _ticks(low: float, high: float) -> list[float]:
    return [low + (high - low) * i / 4 for i in range(5)]


def css_class(word: Any) -> str:
    """Give a verdict word as a class name."""
    return str(word or "none").replace(" ", "-")
