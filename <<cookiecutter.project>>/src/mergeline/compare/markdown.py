"""report.md: the comment, the job summary and what the terminal shows. Its first line says it all.

Everything that comes from the repository goes through `words.escape` or `words.code`.
"""

import re
from collections.abc import Callable, Sequence

from .report import Change, MetricRow, Report, SliceRow
from .words import NOTHING, clean, code, escape, html, interval, number, sentence, signed

LARGEST = 65_000
"""GitHub takes 65,536 characters; the marker and a line on what was cut need some."""
ROWS = 25
WIDTH = 21
FIXED = "\u00a0"
"""A space at which no browser breaks the line."""
HEX = re.compile(r"[0-9a-f]{7,64}")


def render(report: Report) -> str:
    """Give the whole report in Markdown, below GitHub's limit: long parts are left out from the last one on."""
    parts = [part for make in PARTS if (part := make(report))]
    head, tail = _head(report), parts
    cut = 0
    while tail and len("\n\n".join([*head, *tail])) > LARGEST:
        tail, cut = tail[:-1], cut + 1
    if cut:
        tail = [
            *tail,
            f"*{cut} part{'s' if cut > 1 else ''} left out: too long for a comment. The HTML report has all.*",
        ]
    return "\n\n".join([*head, *tail]) + "\n"


def plain(text: str) -> str:
    """Give the Markdown for a terminal, which folds nothing away."""
    text = re.sub(r"<details>\n?<summary>(.*?)</summary>", r"**\1**", text)
    return text.replace("</details>", "").replace("\u2060", "").replace(FIXED, " ")


def _head(report: Report) -> list[str]:
    found = [sentence(report)]
    if report.protected:
        paths = ", ".join(code(path) for path in _folders(report.protected)[:ROWS])
        found.append(f"> **This pull request changes what judges, builds or runs it**: {paths}.")
    fails = [gate for gate in report.gates if gate.state == "failed"]
    if fails:
        lines = [f"> - {code(gate.gate)}: {escape(gate.text)}" for gate in fails[:ROWS]]
        found.append("\n".join(["> **Blocked** by gates.yaml:", *lines]))
    if lifted := [gate for gate in report.gates if gate.state == "overridden"]:
        found.append("\n".join(f"> Overridden: {code(gate.gate)}: {escape(gate.text)}" for gate in lifted[:ROWS]))
    if report.reason and report.word is not None and not any(row.difference for row in report.metrics):
        row = report.row(report.primary)
        alone = number(row.candidate, row.matters) if row else NOTHING
        found[1:1] = [f"{code(report.primary)} of the candidate alone: {alone}."]
    if report.notes:
        found.append("\n".join(f"- {escape(note)}" for note in report.notes[:ROWS]))
    return found


def _table(report: Report) -> str:
    """Show the metrics that have a gate; where none has, all of them."""
    return "\n".join(_rows(report, [row for row in report.metrics if row.matters is not None] or report.metrics))


def _others(report: Report) -> str:
    others = [row for row in report.metrics if row.matters is None]
    if len(others) == len(report.metrics):
        return ""
    return _folded(f"{_count(others, 'metric')} without a gate", _rows(report, others) if others else [])


def _rows(report: Report, rows: Sequence[MetricRow]) -> list[str]:
    if report.base is None or not any(row.difference for row in rows):
        alone = [
            [
                _name(row, report),
                number(row.candidate, row.matters),
                escape(row.reason or "") if row.candidate is None else "",
            ]
            for row in rows[:ROWS]
        ]
        return ["| metric | candidate | |", "|:--|--:|:--|", *(f"| {' | '.join(cells)} |" for cells in alone)]
    axis = fixed("worse ◂       ▸ better")
    return [
        f"| metric | base | candidate | difference | {report.level:.0%} interval | `{axis}` | verdict |",
        "|:--|--:|--:|--:|:--|:-:|:--|",
        *(_row(row, report) for row in rows[:ROWS]),
    ]


def _row(row: MetricRow, report: Report) -> str:
    cells = [_name(row, report), number(row.base, row.matters), number(row.candidate, row.matters)]
    if row.difference is None:
        return "| " + " | ".join([*cells, NOTHING, escape(row.reason or ""), "", "cannot tell"]) + " |"
    word = (f"**{row.word}**" if row.word in ("better", "worse") else row.word) if row.matters is not None else ""
    drawn = f"`{fixed(forest(row.difference.value, row.difference.interval, row.better, row.matters))}`"
    return (
        "| "
        + " | ".join(
            [
                *cells,
                signed(row.difference.value, row.matters),
                fixed(interval(row.difference, row.matters)),
                drawn,
                word,
            ]
        )
        + " |"
    )


def _name(row: MetricRow, report: Report) -> str:
    name = escape(row.name)
    return f"**{name}**" if row.name == report.primary else name


def fixed(text: str) -> str:
    """Keep text on one line."""
    return text.replace(" ", FIXED)


def forest(value: float, interval: tuple[float, float], better: str, matters: float | None) -> str:
    """Draw an interval as text, zero in the middle, better to the right; `┊` is the smallest difference that matters.

    >>> forest(0.03, (0.01, 0.05), "higher", 0.005)
    '         ┊│┊├───●───┤'
    """
    sign = 1 if better == "higher" else -1
    low, high = sorted(sign * end for end in interval)
    half = WIDTH // 2
    reach = max(abs(low), abs(high), 2 * (matters or 0)) or 1.0

    def place(at: float) -> int:
        return half + round(at / reach * half)

    cells = [" "] * WIDTH
    for edge in (-1, 1) if matters else ():
        cells[place(edge * (matters or 0))] = "┊"
    cells[half] = "│"
    for i in range(place(low), place(high) + 1):
        cells[i] = "─" if i != half else "┼"
    cells[place(low)], cells[place(high)] = "├", "┤"
    cells[place(sign * value)] = "●"
    return "".join(cells)


def _changes(report: Report) -> str:
    lines = [f"- {code(path)}" for path in report.code[:ROWS]]
    lines += [f"- {code(c.name)}: {_side(c.base)} → {_side(c.candidate)}" for c in report.params[:ROWS]]
    return _folded(f"Changed: {_count(report.code, 'file')} of the model, {_count(report.params, 'parameter')}", lines)


def _slices(report: Report) -> str:
    slices, primary = report.slices, report.row(report.primary)
    matters = primary.matters if primary else None
    if not slices.tested:
        return ""
    lines = []
    for word in ("worse", "better"):
        lines += [_slice(row, matters) for row in slices.moved if row.word == word][: ROWS // 2]
    text = f"{_count(slices.moved, 'slice')} of {slices.tested:,} moved in {slices.metric}"
    small = f" ({slices.small:,} more are too small to judge)" if slices.small else ""
    if not lines:
        return f"No slice of {slices.tested:,} moved by what matters{small}."
    header = ["| slice | rows | base | candidate | difference | interval | |", "|:--|--:|--:|--:|--:|:--|:--|"]
    return _folded(f"{text}{small}", [*header, *lines])


def _slice(row: SliceRow, matters: float | None) -> str:
    name = f"{code(row.column)} = {code(row.value)}"
    cells = [name, f"{row.rows:,}", number(row.base, matters), number(row.candidate, matters)]
    cells += [signed(row.difference.value, matters), interval(row.difference, matters), row.word]
    return "| " + " | ".join(cells) + " |"


def _data(report: Report) -> str:
    if not report.data and not report.columns:
        return "Same raw rows." if report.base and report.base.bundle else ""
    lines = ["| | base | candidate |", "|:--|:--|:--|"]
    lines += [
        f"| {escape(change.name)} | {_side(change.base)} | {_side(change.candidate)} |"
        for change in [*report.data, *report.columns][: 2 * ROWS]
    ]
    return _folded(f"Data changed: {_data_summary(report.data)}", lines)


def _data_summary(changes: Sequence[Change]) -> str:
    shown = [
        f"{escape(c.name)} {_text(c.base)} → {_text(c.candidate)}"
        for c in changes
        if c.name in ("rows", "held-out period")
    ]
    return "; ".join(shown) or "see below"


def _gates(report: Report) -> str:
    marks = {"passed": "✓", "failed": "✗", "overridden": "○"}
    lines = [f"- {marks[gate.state]} {code(gate.gate)}: {escape(gate.text)}" for gate in report.gates[: 2 * ROWS]]
    failed = sum(gate.state == "failed" for gate in report.gates)
    return _folded(
        f"Gates: {failed} of {len(report.gates)} failed" if failed else f"Gates: all {len(report.gates)} passed", lines
    )


def _reproduce(report: Report) -> str:
    candidate = _hex(report.candidate.commit)
    base = _hex(report.base.commit) if report.base else "none"
    judged = report.judged
    how = "restored" if report.base and not report.base.stages else "trained now"
    lines = [
        "```",
        f"git fetch origin {candidate} && git checkout {candidate}",
        f"make setup && .venv/bin/model compare --base {base}",
        "```",
        f"{judged.rows:,} of {judged.held_out:,} held-out rows judged, in {judged.groups:,} groups"
        + (f"; base {_hex(report.base.bundle or '')[:12]} ({how})" if report.base and report.base.bundle else "")
        + f"; candidate {_hex(report.candidate.bundle or '')[:12]}.",
    ]
    return _folded("How to reproduce", lines)


PARTS: tuple[Callable[[Report], str], ...] = (_table, _changes, _data, _slices, _others, _gates, _reproduce)


def _folded(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join(["<details>", f"<summary>{html(title)}</summary>", "", *lines, "", "</details>"])


def _side(text: str | None) -> str:
    return NOTHING if text is None else code(text)


def _text(text: str | None) -> str:
    return NOTHING if text is None else clean(text)


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"


def _folders(paths: Sequence[str]) -> list[str]:
    """Give files as they are, many files of one folder as the folder."""
    tops = [path.split("/")[0] + "/" if "/" in path else path for path in paths]
    tops = ["src/mergeline/" if top == "src/" else top for top in tops]
    return [
        top if tops.count(top) > 2 else path
        for i, (top, path) in enumerate(zip(tops, paths, strict=True))
        if tops.count(top) <= 2 or tops.index(top) == i
    ]


def _hex(text: str) -> str:
    return text if HEX.fullmatch(text) else "unknown"
