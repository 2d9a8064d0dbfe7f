"""Past releases judged again, each on the rows that came after it: what was claimed against what is confirmed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .. import bundle, config, frames, metrics, repo
from ..claims import Claim
from ..config import Gates
from ..errors import BadData, MergelineError
from ..metrics import Metric
from ..progress import step
from . import base as bases
from . import gates as rules
from . import judge, naming, own_metrics
from .blocks import plural
from .judge import Names
from .report import FEWEST_GROUPS, Difference, Judged, MetricRow
from .words import clean, signed, unit_name

RAW = "data/raw.parquet"

Word = Literal["confirmed", "refuted", "not confirmed yet", "no newer rows", "cannot tell"]
STYLES: Mapping[str, str] = {"confirmed": "green", "refuted": "red"}
OF_SAME: Mapping[str, Word] = {
    "same": "confirmed",
    "better": "refuted",
    "worse": "refuted",
    "cannot tell": "not confirmed yet",
}
NOTES = (
    "Confirmed: the interval on newer rows excludes zero on the side of the claim; refuted: on the other side. "
    "What was the same is confirmed by being the same again.",
    "Newer rows come with a later data.as_of in params.yaml and `model ingest`.",
)


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """One release's claim, and its difference to the same base on rows from `end` on; null with a reason."""

    release: str
    when: str
    claimed_word: str
    metric: str
    claimed: float
    claimed_interval: tuple[float, float] | None
    end: str | None
    level: float
    word: Word
    difference: Difference | None = None
    judged: Judged | None = None
    matters: float | None = None
    reason: str | None = None


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """All claims of an environment's releases, oldest first; `last` is the newest day of the snapshot."""

    releases: list[Fresh]
    last: str

    def table(self) -> Any:
        """Draw it."""
        told = Text(f"Claims judged on rows up to {self.last}")
        table = Table(box=box.SIMPLE_HEAD, title=told, title_justify="left")
        for title in ("live since", "claimed at merge", "on newer rows", "rows", ""):
            table.add_column(title, no_wrap=title == "live since")
        for f in self.releases:
            table.add_row(
                f"{f.when[:10]}\n{f.release[:12]}",
                Text(f"{f.claimed_word} {f.metric} {_shown(f.claimed, f.claimed_interval, f.matters)}"),
                Text(_shown(f.difference.value, f.difference.interval, f.matters) if f.difference else ""),
                Text(_rows(f)),
                Text(f.word + (f": {clean(f.reason)}" if f.reason else ""), style=STYLES.get(f.word, "")),
            )
        levels = " or ".join(sorted({f"{100 * f.level:.4g}%" for f in self.releases}))
        chance = "those on newer rows hold the chance in the rows alone, not that of training the release anew"
        lines = (f"[Intervals] at {levels}; {chance}.", *NOTES)
        return Group(table, *(Text(line, style="dim") for line in lines), Text(self.summary))

    @property
    def summary(self) -> str:
        """Count the words."""
        counts = Counter(f.word for f in self.releases)
        return f"Of {plural(len(self.releases), 'claim')}: {', '.join(f'{n} {said}' for said, n in counts.items())}."


def run(root: Path, claims: list[Claim]) -> Confirmation:
    """Judge every claim on the rows of this working copy's snapshot that neither of its models knew.

    Raises:
        BadData: there is no snapshot here, or no time column says which rows are newer.
    """
    names, own = naming.of_schema(), config.gates(root)
    if names.time is None:
        raise BadData("src/model/schema.py has TIME = None: nothing says which rows are newer", "Name a time column.")
    if not (root / RAW).is_file():
        raise BadData(f"{RAW} is not here, and its rows are to judge", "Run `model ingest`, or `make train`.")
    rows = frames.read(root / RAW)
    if names.time not in rows.columns:
        raise BadData(f"{RAW} has no column {names.time}, which src/model/schema.py calls TIME")
    days = frames.days(rows[names.time])
    task = config.params(root).task
    known = {**metrics.ALL, **own_metrics.load(rules.suited(own, task), None, root)}
    with step("Newer rows"):
        found = [_judged(root, claim, rows, days, names, known.get(claim.metric), own) for claim in claims]
    return Confirmation(releases=found, last=str(days.max()))


def word(found: MetricRow, claim: Claim) -> Word:
    """Say what newer rows say of a claim: their interval lies on the claimed side of zero, or on the other.

    *same* claims no side: it is confirmed by *same*, refuted by *better* and *worse*. Below `FEWEST_GROUPS` groups the
    variance itself is too uncertain, so nothing is confirmed or refuted.
    """
    if found.difference is None or found.difference.groups < FEWEST_GROUPS:
        return "not confirmed yet"
    if claim.word == "same":
        return OF_SAME[found.word]
    low, high = found.difference.interval
    if low <= 0 <= high or claim.difference == 0:
        return "not confirmed yet"
    return "confirmed" if (low > 0) == (claim.difference > 0) else "refuted"


def _judged(
    root: Path, claim: Claim, rows: pl.DataFrame, days: pl.Series, names: Names, metric: Metric | None, own: Gates
) -> Fresh:
    gate = own.metrics.get(claim.metric)
    found = Fresh(
        release=claim.release,
        when=claim.when,
        claimed_word=claim.word,
        metric=claim.metric,
        claimed=claim.difference,
        claimed_interval=claim.interval,
        end=claim.end,
        level=claim.level,
        word="cannot tell",
        matters=gate.matters if gate else None,
    )
    try:
        reason = claim.reason or _obstacle(root, claim, rows, names, metric)
        if claim.models is None or claim.end is None or metric is None or reason:
            return msgspec.structs.replace(found, reason=reason)
        newer = rows.filter(days >= claim.end)
        if not len(newer):
            return msgspec.structs.replace(found, word="no newer rows")
        base, candidate = (bundle.load(folder) for folder in claim.models)
        of = replace(names, label=candidate.signature.label)
        unit = judge.unit(claim.group, claim.split_group, of)
        scored = judge.score(newer, candidate, base, of, unit)
        row = judge.row(metric, scored, own, claim.level)
    except MergelineError as why:
        return msgspec.structs.replace(found, reason=str(why.args[0]))
    if row.difference is None:
        return msgspec.structs.replace(found, judged=scored.judged, reason=scored.reason or row.reason)
    return msgspec.structs.replace(
        found,
        word=word(row, claim),
        difference=row.difference,
        judged=scored.judged,
        reason=row.reason,
    )


def _obstacle(root: Path, claim: Claim, rows: pl.DataFrame, names: Names, metric: Metric | None) -> str | None:
    """Say why newer rows cannot be told, or not be judged."""
    if metric is None:
        return f"gates.yaml knows no metric {claim.metric} any more"
    if not claim.by_as_of and names.time and rows[names.time].dtype == pl.String:
        return "it does not say until when it knew rows (data.as_of)"
    then = repo.show(root, claim.code, bases.SCHEMA)
    if then is not None and (time := bases.assigned(then, "TIME")) != names.time:
        return f"its schema.py had TIME = {time}, not {names.time}, so what it knew cannot be told"
    return None


def _rows(found: Fresh) -> str:
    if found.judged is None:
        return f"from {found.end}" if found.end else ""
    judged = found.judged
    count, groups = plural(judged.rows, "row"), f" in {judged.groups:,} {unit_name(judged)}" if judged.group else ""
    return f"{count}{groups}\n{' to '.join(judged.period)}" if judged.period else f"{count}{groups}"


def _shown(value: float, ends: tuple[float, float] | None, matters: float | None) -> str:
    shown = signed(value, matters)
    return f"{shown}\n[{', '.join(signed(end, matters) for end in ends)}]" if ends else shown
