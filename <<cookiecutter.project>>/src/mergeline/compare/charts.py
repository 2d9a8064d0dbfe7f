"""The plots as Mermaid charts, which a forge draws from text: no image is uploaded anywhere.

Lines only, for Mermaid's bars do not start at zero. Few versions of it have a legend and none takes a number such as
1e-05: the title names each colour, and numbers are plain decimals.
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal

from .blocks import folded
from .curves import ROC, TENTHS
from .report import Curve, Point, Report
from .words import clean

MOST = 2
POINTS = 21
LONGEST = 60
DIGITS = 3
COLOURS = {"base": ("grey", "#8b949e"), "candidate": ("blue", "#2f81f7"), "predicted": ("orange", "#d9730d")}
"""Each has a contrast of at least 3 to white and to a dark page, and blue, orange and grey differ for all eyes."""
TEXT = "#767676"
"""A contrast of at least 4 to both."""
SIZE = {"width": 460, "height": 300, "titleFontSize": 13}
"""In pixels: a phone shrinks it little, and the longest title has room."""
SMALL = {"titleFontSize": 13, "labelFontSize": 12}
KEPT = re.compile(r"[^\w .,:()²+=-]+")
"""What is in a label: no quote, bracket, semicolon, percent sign or markup."""


def charts(report: Report) -> str:
    """Give at most two charts, folded; nothing where there is no curve of the candidate."""
    shown = [curve for curve in report.curves if len(curve.candidate) > 1 and _drawn(curve)][:MOST]
    title = ", ".join(_title(curve, report) for curve in shown)
    return folded(f"Charts: {title}", ["\n\n".join(chart(curve, report) for curve in shown)] if shown else [])


def chart(curve: Curve, report: Report) -> str:
    """Give one curve as a fenced block of Mermaid: ROC over its rates, all else over tenths of the rows."""
    roc = curve.title == ROC
    lines = {
        side: [rounded(point.y) for point in thinned(points)]
        for side, points in (("base", curve.base), ("candidate", curve.candidate))
        if len(points) > 1
    }
    if not roc:
        lines["predicted"] = [rounded(point.x) for point in thinned(curve.candidate)]
    colours = ", ".join(f"{side} {COLOURS[side][0]}" for side in lines)
    axis = f'"{label(curve.x)}" 0 --> 1'
    if not roc:
        axis = f'"tenth of the rows, by {label(curve.x)}" 1 --> {len(lines["candidate"])}'
    values = [value for line in lines.values() for value in line]
    low, high = min(values), max(values)
    if report.task != "regression":
        low, high = Decimal(0), max(high, Decimal(1)) if roc else high
    return "\n".join(
        [
            "```mermaid",
            f"%%{{init: {json.dumps(_settings([COLOURS[side][1] for side in lines]))}}}%%",
            "xychart-beta",
            f'    title "{_title(curve, report)}: {colours}"',
            f"    x-axis {axis}",
            f'    y-axis "{label(curve.y)}" {low:f} --> {high if high > low else low + 1:f}',
            *(f'    line "{side}" [{", ".join(f"{value:f}" for value in line)}]' for side, line in lines.items()),
            "```",
        ]
    )


def _drawn(curve: Curve) -> bool:
    """Say whether lines over equal steps can show it."""
    return curve.diagonal and (curve.title == ROC or curve.title.endswith(TENTHS))


def _title(curve: Curve, report: Report) -> str:
    """Give a title that leaves room for the colours."""
    return "True values" if report.task == "regression" else label(curve.title.removesuffix(TENTHS))


def label(text: str) -> str:
    """Give text as a label that ends no quotation and starts no directive.

    >>> label('AUC"] %%{init: {}}%% ; `x`')
    'AUC init: x'
    """
    return " ".join(KEPT.sub(" ", clean(text)).split())[:LONGEST].strip()


def rounded(value: float) -> Decimal:
    """Give a number that is written without an exponent.

    >>> f"{rounded(0.0000123456):f}"
    '0.0000123'
    """
    return Decimal(f"{value:.{DIGITS}g}")


def thinned(points: Sequence[Point]) -> list[Point]:
    """Give at most 21 of the points, equally far apart, the first and the last among them."""
    last = len(points) - 1
    if last < POINTS:
        return list(points)
    return [points[round(i * last / (POINTS - 1))] for i in range(POINTS)]


def _settings(palette: Sequence[str]) -> dict[str, object]:
    axes = [f"{axis}Axis{what}" for axis in "xy" for what in ("Title", "Label", "Tick", "Line")]
    return {
        "xyChart": {**SIZE, "showLegend": False, "xAxis": SMALL, "yAxis": SMALL},
        "themeVariables": {
            "xyChart": {
                "backgroundColor": "transparent",
                "plotColorPalette": ", ".join(palette),
                **{f"{what}Color": TEXT for what in ("title", *axes)},
            }
        },
    }
