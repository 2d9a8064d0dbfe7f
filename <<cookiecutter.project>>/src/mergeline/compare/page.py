"""report.html: one file with everything, no network. The template escapes every value; plots are inline SVG."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2

from . import looks, plots, surroundings, tables, words
from .report import Report, SliceRow

HERE = Path(__file__).parent
STYLE, SCRIPT = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
BOX = {"width": plots.WIDTH, "height": plots.HEIGHT, "top": plots.TOP, "bottom": plots.HEIGHT - plots.BOTTOM}


def render(report: Report) -> str:
    """Give the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        number=words.number,
        signed=words.signed,
        interval=words.interval,
        clean=words.clean,
        css=css_class,
        trusted=trusted,
    )
    primary = report.row(report.primary)
    better, matters = (primary.better, primary.matters) if primary else ("higher", None)
    effect = primary.difference.estimate().design_effect if primary and primary.difference else None
    return environment.get_template("page.html").render(
        report=report,
        style=STYLE,
        script=SCRIPT,
        sentence=words.sentence(report, bold=False),
        title=words.TITLES.get(report.word or "", "First model"),
        where=words.where(report.judged),
        unit=words.unit(report.judged),
        forests={row.name: plots.forest(row, row.matters, row.better) for row in report.metrics if row.difference},
        moved=[(title, note, plots.forests(rows, matters, better)) for title, note, rows in _slices(report)],
        matters=matters,
        longest=max([abs(at or 0) for row in report.importance for at in (row.base, row.candidate)], default=0) or 1.0,
        largest=max([row.psi for row in (*report.drift, *report.steady)], default=0),
        tables=tables.of(report),
        plots=[plots.plot(curve) for curve in report.curves if curve.candidate],
        box=BOX,
        rows=[text for text in (surroundings.raw_rows(report), surroundings.duplicates(report)) if text],
        chance=looks.chance(report.looks.candidates, report.level) if report.looks else 0,
        many=looks.MANY,
        effect=effect if report.judged.group else None,
    )


def _slices(report: Report) -> list[tuple[str, str, list[SliceRow]]]:
    found = report.slices
    if not (found.tested or found.small or found.discovered):
        return []
    named = f"{len(found.moved)} of {found.tested:,} slices moved in {found.metric} (false discoveries held at 5%: {found.control})"
    if found.small:
        named += f"; {found.small:,} more are too small to judge{': ' if found.too_small else ''}{', '.join(found.too_small)}"
    searched = (
        f"The search gave {found.searched:,} on half of the groups; these moved on the other half, which judges them."
    )
    parts = [("Slices", f"{named}.", found.moved), ("Slices that nobody named", searched, found.discovered)]
    return parts if found.discovered else parts[:1]


def css_class(word: Any) -> str:
    """Give a verdict word as a class name."""
    return str(word or "none").replace(" ", "-")


def trusted(text: str) -> str:
    """Give what lets a page run or apply this very text and nothing else (Content Security Policy, level 3)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
