"""report.md: the comment, the job summary and what the terminal shows. Its first line says it all.

Everything that comes from the repository goes through `words.escape` or `words.code`.
"""

import re
from collections.abc import Callable, Sequence

from ..config import GATES
from . import attributed, charts, looks, metric_table, moved, surroundings
from .blocks import FIXED, ROWS, folded, plural
from .report import Report
from .words import code, escape, number, sentence

LARGEST = 65_000
"""GitHub takes 65,536 characters; the marker and a line on what was cut need some."""
TOGETHER = 1.5
"""From this design effect on, the comment says that rows of one group are not independent."""
HEX = re.compile(r"[0-9a-f]{7,64}")
DRAWN = re.compile(r"<details>\n<summary>[^\n]*</summary>\n\n```mermaid\n.*?\n</details>\n?", re.DOTALL)


def render(report: Report, spare: int = 0) -> str:
    """Give the whole report in Markdown, below GitHub's limit: parts are left out from the last one on, never the first.

    Args:
        report: what was found.
        spare: characters that are to stay free below the limit.
    """
    parts = [*_head(report), *(part for make in PARTS if (part := make(report)))]
    kept = len(parts)
    while kept > 1 and len("\n\n".join(parts[:kept])) > LARGEST - spare:
        kept -= 1
    if cut := len(parts) - kept:
        parts[kept:] = [f"*{plural(cut, 'part')} left out: too long for a comment. The HTML report has all.*"]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Give the Markdown for a terminal, which folds nothing away and draws no chart."""
    text = re.sub(r"<details>\n?<summary>(.*?)</summary>", r"**\1**", DRAWN.sub("", text))
    return text.replace("</details>", "").replace("\u2060", "").replace(FIXED, " ")


def _head(report: Report) -> list[str]:
    found = [sentence(report)]
    if report.protected:
        paths = ", ".join(code(path) for path in _folders(report.protected)[:ROWS])
        whose = " The base's gates.yaml judges until this is merged." if GATES in report.protected else ""
        found.append(f"> **This pull request changes what judges, builds or runs it**: {paths}.{whose}")
    found += _leaks(report)
    fails = [gate for gate in report.gates if gate.state == "failed"]
    if fails:
        lines = [f"> - {code(gate.gate)}: {escape(gate.text)}" for gate in fails[:ROWS]]
        found.append("\n".join(["> **Blocked** by gates.yaml:", *lines]))
    if lifted := [gate for gate in report.gates if gate.state == "overridden"]:
        found.append("\n".join(f"> Overridden: {code(gate.gate)}: {escape(gate.text)}" for gate in lifted[:ROWS]))
    if report.reason and report.word is not None and not any(row.difference for row in report.metrics):
        row = report.row(report.primary)
        if row and row.candidate is not None:
            alone = number(row.candidate, row.matters)
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
        found.append(f"> **{plural(groups, 'group')}** of the split by group in training and in the held-out rows.")
    return found


def _gates(report: Report) -> str:
    marks = {"passed": "✓", "failed": "✗", "overridden": "○"}
    lines = [f"- {marks[gate.state]} {code(gate.gate)}: {escape(gate.text)}" for gate in report.gates[: 2 * ROWS]]
    failed, lifted = (sum(gate.state == state for gate in report.gates) for state in ("failed", "overridden"))
    title = f"{failed} of {len(report.gates)} failed" if failed or lifted else f"all {len(report.gates)} passed"
    return folded(f"Gates: {title}{f', {lifted} overridden' if lifted else ''}", lines)


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
        f"{judged.rows:,} of {judged.held_out:,} held-out rows judged"
        + (f", in {plural(judged.groups, 'group')}" if judged.group else "")
        + (f"; base {_hex(report.base.bundle or '')[:12]} ({how})" if report.base and report.base.bundle else "")
        + f"; candidate {_hex(report.candidate.bundle or '')[:12]}.",
    ]
    lines += _intervals(report)
    if report.looks and 0 < report.looks.candidates < looks.MANY:
        lines.append(f"{plural(report.looks.candidates, 'candidate')} judged on these rows so far.")
    return folded("How to reproduce", lines)


def _intervals(report: Report) -> list[str]:
    """Say what the intervals hold: the noise of training, and that rows of one group move together."""
    row = report.row(report.primary)
    if row is None or row.difference is None:
        return []
    found = []
    if report.refits:
        whose = "each side" if report.noise == "of both" else "the base"
        found.append(f"The intervals hold the noise of training, from {report.refits} models of {whose} trained anew.")
    effect = row.difference.estimate().design_effect
    if effect and effect >= TOGETHER and report.judged.group:
        unit = escape(report.judged.group)
        found.append(
            f"Rows of one {unit} move together: the variance of the difference is {effect:,.0f} times that of independent rows."
        )
    return found


PARTS: tuple[Callable[[Report], str], ...] = (
    metric_table.table,
    attributed.attribution,
    surroundings.looks,
    metric_table.folds,
    surroundings.changes,
    moved.slices,
    moved.discovered,
    moved.fairness,
    moved.flips,
    moved.calibration,
    surroundings.data,
    surroundings.raw_rows,
    surroundings.drift,
    surroundings.duplicates,
    metric_table.others,
    attributed.others,
    surroundings.cost,
    _gates,
    _reproduce,
    charts.charts,
)


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
