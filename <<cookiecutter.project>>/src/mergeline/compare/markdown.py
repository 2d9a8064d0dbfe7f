"""report.md: the comment, the job summary and what the terminal shows. Its first line says it all.

Everything that comes from the repository goes through `words.escape` or `words.code`.
"""

import re
from collections.abc import Callable, Sequence

from . import looks
from .report import Change, Confusion, FairnessRow, MetricRow, Report, SliceRow
from .words import NOTHING, clean, code, escape, html, interval, number, sentence, signed

LARGEST = 65_000
"""GitHub takes 65,536 characters; the marker and a line on what was cut need some."""
ROWS = 25
WIDTH = 21
FIXED = "\u00a0"
"""A space at which no browser breaks the line."""
SLICE_HEADER = ("| slice | rows | base | candidate | difference | interval | |", "|:--|--:|--:|--:|--:|:--|:--|")
HEX = re.compile(r"[0-9a-f]{7,64}")


def render(report: Report, spare: int = 0) -> str:
    """Give the whole report in Markdown, below GitHub's limit: long parts are left out from the last one on.

    Args:
        report: what was found.
        spare: characters that are to stay free below the limit.
    """
    parts = [part for make in PARTS if (part := make(report))]
    head, tail = _head(report), parts
    cut = 0
    while tail and len("\n\n".join([*head, *tail])) > LARGEST - spare:
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
    found += _leaks(report)
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


def _leaks(report: Report) -> list[str]:
    """Name what makes every number of this report too good."""
    found = []
    if report.checks.suspects:
        measure = "R²" if report.task == "regression" else "AUC"
        shown = ", ".join(f"{code(one.column)} ({measure} {one.score:.3f})" for one in report.checks.suspects[:ROWS])
        found.append(f"> **Does a column hold the answer?** Alone it predicts the label suspiciously well: {shown}.")
    if groups := report.checks.shared_groups:
        found.append(f"> **{_plural(groups, 'group')}** of the split by group in training and in the held-out rows.")
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


def _folds(report: Report) -> str:
    folds = report.folds
    if folds is None or not folds.rows:
        return ""
    primary = report.row(folds.metric)
    matters = primary.matters if primary else None
    lines = [f"| period | base | candidate | difference | {report.level:.0%} interval |", "|:--|--:|--:|--:|:--|"]
    for row in folds.rows[:ROWS]:
        cells = [
            f"{code(row.first)} to before {code(row.end)}",
            number(row.base, matters),
            number(row.candidate, matters),
        ]
        found = row.difference
        cells += (
            [signed(found.value, matters), interval(found, matters)] if found else [NOTHING, escape(row.reason or "")]
        )
        lines.append(f"| {' | '.join(cells)} |")
    title = f"{_count(folds.rows, 'earlier period')} judged in {folds.metric}"
    if folds.mean:
        title += f": {signed(folds.mean.value, matters)} on average, {interval(folds.mean, matters)} by period"
    return _folded(title, lines)


def _changes(report: Report) -> str:
    lines = [f"- {code(path)}" for path in report.code[:ROWS]]
    lines += [f"- {code(c.name)}: {_side(c.base)} → {_side(c.candidate)}" for c in report.params[:ROWS]]
    return _folded(f"Changed: {_count(report.code, 'file')} of the model, {_count(report.params, 'parameter')}", lines)


def _slices(report: Report) -> str:
    slices, primary = report.slices, report.row(report.primary)
    matters = primary.matters if primary else None
    lines = []
    for word in ("worse", "better"):
        lines += [_slice(row, matters, _named(row)) for row in slices.moved if row.word == word][: ROWS // 2]
    small = f" ({slices.small:,} more are too small to judge)" if slices.small else ""
    title = f"No slice of {slices.tested:,} moved by what matters{small}"
    below = [f"Too small to judge: {', '.join(code(name) for name in slices.too_small[:ROWS])}."]
    if not slices.too_small:
        below = []
    if lines:
        title = f"{_count(slices.moved, 'slice')} of {slices.tested:,} moved in {slices.metric}{small}"
        below = [*SLICE_HEADER, *lines, "", f"False discoveries are held at 5% ({slices.control}).", "", *below]
    elif not slices.tested:
        title = f"No slice is large enough to judge, of {slices.small:,}"
    if not slices.tested and not slices.small:
        return ""
    return _folded(title, below) or f"{title}."


def _discovered(report: Report) -> str:
    slices, primary = report.slices, report.row(report.primary)
    matters = primary.matters if primary else None
    if not slices.discovered:
        return ""
    title = f"{_count(slices.discovered, 'slice')} that nobody named moved in {slices.metric} (found on half of the groups, tested on the other half)"
    return _folded(title, [*SLICE_HEADER, *(_slice(row, matters, code(row.value)) for row in slices.discovered)])


def _named(row: SliceRow) -> str:
    return f"{code(row.column)} = {code(row.value)}"


def _slice(row: SliceRow, matters: float | None, name: str) -> str:
    cells = [name, f"{row.rows:,}", number(row.base, matters), number(row.candidate, matters)]
    cells += [signed(row.difference.value, matters), interval(row.difference, matters), row.word]
    return "| " + " | ".join(cells) + " |"


def _fairness(report: Report) -> str:
    """Show gaps, then values; which values are too small is left to the report, for they may be few persons."""
    found = report.fairness
    if found is None or not (found.rows or found.too_small):
        return ""
    shown = sum(row.word != "no change shown" for row in found.rows)
    title = f"Fairness: {shown} of {found.tested:,} differences shown" if found.tested else "Fairness of the candidate"
    lines = [_fair(row) for row in found.rows[: 2 * ROWS]]
    if lines:
        lines = [
            "| | measure | rows | base | candidate | difference | interval | |",
            "|:--|:--|--:|--:|--:|--:|:--|:--|",
            *lines,
            "",
        ]
    if found.too_small:
        lines.append("Values with too few rows or groups are not judged.")
    return _folded(title, lines)


def _fair(row: FairnessRow) -> str:
    name = f"{code(row.column)} = {code(row.value)}" if row.value is not None else code(row.column)
    if row.between:
        name += f": gap, {code(row.between[0])} to {code(row.between[1])}"
    cells = [name, escape(row.measure), f"{row.rows:,}", number(row.base), number(row.candidate)]
    if row.difference is None:
        cells += [NOTHING, escape(row.reason or ""), ""]
    else:
        word = row.word if row.word == "no change shown" else f"**{row.word}**"
        cells += [signed(row.difference.value), fixed(interval(row.difference)), word]
    return "| " + " | ".join(cells) + " |"


def _flips(report: Report) -> str:
    found = report.flips
    if found is None or not (found.moved or found.right_to_wrong or found.wrong_to_right or found.other):
        return ""
    counts = f"{found.right_to_wrong:,} right to wrong, {found.wrong_to_right:,} wrong to right"
    if report.task == "regression":
        counts = f"errors grew in {found.right_to_wrong:,}, shrank in {found.wrong_to_right:,}, by a tenth of the labels' standard deviation"
    other = f", {found.other:,} wrong in another way" if found.other else ""
    lines = [
        f"| {code(row.row)} | {_side(row.label)} | {number(row.base)} | {number(row.candidate)} |"
        for row in found.moved
    ]
    header = ["| row whose score moved most | label | base | candidate |", "|:--|:--|--:|--:|"]
    title = f"Flips: {counts}{other}, of {found.rows:,} rows"
    return _folded(title, [*header, *lines]) if lines else f"{title}."


def _calibration(report: Report) -> str:
    found = report.calibration
    if found is None:
        return ""
    lines: list[str] = []
    for side, matrix in (("base", found.base), ("candidate", found.candidate)):
        lines += _confusion(side, matrix) if matrix else []
    base = f"{number(found.base_error)} → " if found.base_error is not None else ""
    title = f"Expected calibration error {base}{number(found.candidate_error)}"
    return _folded(f"{title}; confusion matrix", lines) if lines else f"{title}."


def _confusion(side: str, matrix: Confusion) -> list[str]:
    at = f", threshold {matrix.threshold:.4g}" if matrix.threshold is not None else ""
    return [
        f"| {side}{at} | {' | '.join(f'called {code(name)}' for name in matrix.classes[:ROWS])} |",
        f"|:--|{'--:|' * len(matrix.classes[:ROWS])}",
        *(
            f"| {code(name)} | {' | '.join(f'{count:,}' for count in counts[:ROWS])} |"
            for name, counts in zip(matrix.classes[:ROWS], matrix.counts, strict=False)
        ),
        "",
    ]


def _data(report: Report) -> str:
    if not report.data and not report.columns:
        return "Same raw rows." if report.base and report.base.bundle else ""
    lines = ["| | base | candidate |", "|:--|:--|:--|"]
    lines += [
        f"| {escape(change.name)} | {_side(change.base)} | {_side(change.candidate)} |"
        for change in [*report.data, *report.columns][: 2 * ROWS]
    ]
    return _folded(f"Data changed: {_data_summary(report.data)}", lines)


def _raw_rows(report: Report) -> str:
    rows = report.rows
    if rows is None or not (rows.added or rows.removed or rows.changed):
        return ""
    if rows.changed and not rows.unchanged:
        changed = f"all {rows.changed:,} others have other content, as when a column comes or goes"
    else:
        changed = f"{rows.changed:,} with other content under the same id, {rows.unchanged:,} as before"
    return f"Raw rows: {rows.added:,} added, {rows.removed:,} removed, {changed}."


def _drift(report: Report) -> str:
    lines = [
        f"| {code(row.column)} | {row.psi:.2f} | {escape(row.test)} {row.statistic:.3g} | {row.q:.2g} |"
        for row in report.drift[:ROWS]
    ]
    header = ["| column | stability index | test | q |", "|:--|--:|:--|--:|"]
    return _folded(f"Drifted: {_count(report.drift, 'column')}", [*header, *lines] if lines else [])


def _duplicates(report: Report) -> str:
    count, judged = report.checks.duplicates, report.judged
    if not count:
        return ""
    share = f" ({count / judged.held_out:.1%})" if judged.held_out else ""
    return f"{_plural(count, 'held-out row')}{share} equal to a training row in all but id and time."


def _cost(report: Report) -> str:
    lines = [
        f"| {escape(cost.name)} | {_amount(cost.base, cost.unit)} | {_amount(cost.candidate, cost.unit)} "
        f"| {_ratio(cost.base, cost.candidate) if cost.comparable else 'other machine'} |"
        for cost in report.cost[:ROWS]
    ]
    first = report.cost[0] if report.cost else None
    title = (
        f"Cost: {first.name} {_amount(first.base, first.unit)} → {_amount(first.candidate, first.unit)}"
        if first
        else ""
    )
    return _folded(title, ["| | base | candidate | |", "|:--|--:|--:|--:|", *lines] if lines else [])


def _amount(value: float | None, unit: str) -> str:
    return (
        NOTHING if value is None else f"{value:,.3g} {escape(unit)}" if value < 1000 else f"{value:,.0f} {escape(unit)}"
    )


def _ratio(base: float | None, candidate: float | None) -> str:
    return f"{candidate / base - 1:+.0%}" if base and candidate is not None else ""


def _looks(report: Report) -> str:
    if report.looks is None or report.looks.candidates < looks.MANY:
        return ""
    count = report.looks.candidates
    return (
        f"> These held-out rows judged {count:,} candidates. Among so many that are as good as their base, one or more "
        f"is called *better* with a chance of up to {looks.chance(count, report.level):.0%}. "
        "Move `data.as_of` in params.yaml, so that new rows judge."
    )


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
    if report.looks and 0 < report.looks.candidates < looks.MANY:
        lines.append(f"{_plural(report.looks.candidates, 'candidate')} judged on these rows so far.")
    return _folded("How to reproduce", lines)


PARTS: tuple[Callable[[Report], str], ...] = (
    _table,
    _looks,
    _folds,
    _changes,
    _slices,
    _discovered,
    _fairness,
    _flips,
    _calibration,
    _data,
    _raw_rows,
    _drift,
    _duplicates,
    _others,
    _cost,
    _gates,
    _reproduce,
)


def _folded(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join(["<details>", f"<summary>{html(title)}</summary>", "", *lines, "", "</details>"])


def _side(text: str | None) -> str:
    return NOTHING if text is None else code(text)


def _text(text: str | None) -> str:
    return NOTHING if text is None else clean(text)


def _count(things: Sequence[object], noun: str) -> str:
    return _plural(len(things), noun)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
