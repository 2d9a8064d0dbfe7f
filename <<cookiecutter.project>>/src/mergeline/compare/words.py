"""What the report says in words and numbers, and how text that comes from a repository is made harmless."""

import math
import re
from datetime import date

from .report import FEWEST_GROUPS, Difference, Judged, MetricRow, Report

LONGEST = 200
NOTHING = "n/a"
TITLES = {"better": "Better", "worse": "Worse", "same": "Same", "cannot tell": "Cannot tell"}
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
SPECIAL = re.compile(r"([\\`*\[\]#|~$]|(?<!\w)_|_(?!\w)|^[-+=])")
JOINER = "\u2060"
"""Zero width, no break: keeps @name, #1 and URLs from becoming mentions and links."""


def clean(text: str, longest: int = LONGEST) -> str:
    """Give one line without control, direction and zero-width characters, cut where it is long."""
    line = INVISIBLE.sub(" ", text).strip()
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def escape(text: str, longest: int = LONGEST) -> str:
    """Make text harmless in Markdown: no HTML, no formatting, no mention, no link, no table cell."""
    line = SPECIAL.sub(r"\\\1", clean(text, longest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return _unlinked(line)


def html(text: str, longest: int = LONGEST) -> str:
    """Make text harmless in a block of HTML of a comment, where Markdown means nothing but mentions do."""
    line = clean(text, longest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _unlinked(line)


def code(text: str, longest: int = 80) -> str:
    """Show text as code, where Markdown, HTML and mentions mean nothing; a marker of ours in it is none."""
    line = clean(text, longest).replace("`", "'").replace("|", "¦").replace("@", f"@{JOINER}")
    line = line.replace("<!--", f"<{JOINER}!--")
    return f"`{line or ' '}`"


def decimals(matters: float | None) -> int | None:
    """Give how many decimals show the smallest difference that matters; None where that is not known.

    >>> decimals(0.005), decimals(0.5), decimals(None)
    (3, 1, None)
    """
    if not matters or not math.isfinite(matters) or matters < 0:
        return None
    return min(6, max(0, -math.floor(math.log10(matters))))


def number(value: float | None, matters: float | None = None) -> str:
    """Show a metric as exactly as differences matter."""
    return NOTHING if value is None else _fixed(value, matters)


def signed(value: float, matters: float | None = None) -> str:
    """Show a difference with its sign; what rounds to nothing has none."""
    shown = _fixed(value, matters)
    if float(shown) == 0:
        return shown.lstrip("-")
    return shown if value < 0 else f"+{shown}"


def interval(difference: Difference, matters: float | None = None) -> str:
    """Show an interval."""
    return f"{signed(difference.interval[0], matters)} to {signed(difference.interval[1], matters)}"


def _unlinked(line: str) -> str:
    """Break what a forge would make a mention or a link of: @name, #1, GH-1, https://, www."""
    return re.sub(r"@|#|:(?=//)|www(?=\.)|\bGH(?=-)", lambda found: found[0] + JOINER, line, flags=re.IGNORECASE)


def _fixed(value: float, matters: float | None) -> str:
    places = decimals(matters)
    if places is not None:
        return f"{value:.{places}f}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.5g}"


def where(judged: Judged) -> str:
    """Say what was judged, for example `30 days of June 2013`."""
    when = _period(judged.period)
    if judged.group == "day":
        return f"{judged.groups:,} days{f' of {when}' if when and ' to ' not in when else f', {when}' if when else ''}"
    rows = f"{judged.rows:,} rows"
    groups = f" in {judged.groups:,} groups of {judged.group}" if judged.group else ""
    return f"{rows}{groups}{f', {when}' if when else ''}"


def unit(judged: Judged) -> str:
    """Say by what the interval was made."""
    return f"by {judged.group}" if judged.group else "by row, as if rows were independent"


def sentence(report: Report, *, bold: bool = True) -> str:
    """Say the verdict in one sentence of plain text; `bold` marks its first word for Markdown."""
    row = report.row(report.primary)
    judged, shown = report.judged, escape if bold else clean
    if report.base is None or report.word is None:
        title, rest = (
            "First model",
            f"{shown(report.primary)} {number(row.candidate, row.matters) if row else NOTHING} on ",
        )
        rest += f"{shown(where(judged))}; there is no base to judge it against"
    elif row is None or row.difference is None:
        title, rest = (
            TITLES["cannot tell"],
            shown(report.reason or (row.reason if row else None) or "no primary metric"),
        )
    else:
        title = TITLES[report.word]
        rest = f"{shown(row.name)} {number(row.base, row.matters)} → {number(row.candidate, row.matters)} ({signed(row.difference.value, row.matters)}, "
        rest += f"{report.level:.0%} interval {interval(row.difference, row.matters)}, {shown(unit(judged))}, {shown(where(judged))})"
        rest += _because(row, judged, report.level)
    return f"**{title}**: {rest}." if bold else f"{title}: {rest}."


def _because(row: MetricRow, judged: Judged, level: float) -> str:
    found, matters = row.difference, row.matters
    if found is None or matters is None:
        return ""
    if row.word == "same":
        return f"; surely less than the {matters:g} that matters"
    if row.word != "cannot tell":
        return ""
    if found.groups < FEWEST_GROUPS:
        return f"; {found.groups} groups are too few to tell"
    low, high = found.interval
    if low > 0 or high < 0:
        return f"; there is a difference, but less than the {matters:g} that matters was seen"
    return f"; it may as well be chance: {needed(row, judged, level)}"


def needed(row: MetricRow, judged: Judged, level: float) -> str:
    """Say how many groups would tell a difference that matters from none, for example `120 days (75 to 220)`."""
    if row.difference is None or not row.matters:
        return "no smallest difference that matters is set"
    found = row.difference.estimate().groups_needed(row.matters, level)
    if found is None:
        return f"no number of {unit_name(judged)} tells {row.matters:g} from none, the noise of training is too large"
    value, low, high = (rounded(number) for number in found)
    return f"telling {row.matters:g} from none takes about {value} {unit_name(judged)} ({low} to {high})"


def rounded(number: float) -> str:
    """Show a count by two significant digits, rounded up.

    >>> rounded(1234.0), rounded(57.2), rounded(3.0)
    ('1,300', '58', '3')
    """
    step = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return f"{math.ceil(number / step) * step:,}"


def unit_name(judged: Judged) -> str:
    """Name the groups in the plural, as far as their column says how."""
    return {"day": "days", None: "rows"}.get(judged.group, f"groups of {judged.group}")


def _period(period: tuple[str, str] | None) -> str | None:
    if period is None:
        return None
    try:
        first, last = (date.fromisoformat(day) for day in period)
    except ValueError:
        return f"{period[0]} to {period[1]}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%B} {first.year}"
    return f"{first} to {last}"
