"""Score both bundles on the same held-out rows, in one process and with the server's own loader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import frames, metrics, statistics
from ..bundle import Bundle
from ..columns import MISSING, Kind
from ..config import Gates
from ..errors import DegenerateRows, MergelineError
from ..metrics import Metric
from ..statistics import Estimate, Floats, Influence, Ints
from . import gates as rules
from . import noise
from .noise import Anew
from .report import FEWEST_GROUPS, Difference, Judged, MetricRow


@dataclass(frozen=True, slots=True)
class Names:
    """What src/model/schema.py calls things."""

    label: str
    row_id: str
    time: str | None
    slices: tuple[str, ...]
    sensitive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of independence, from the base's params.yaml: a column, the day of the time column, or the row."""

    column: str | None
    by_day: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """Both models' scores of n rows: shape (n,) or (n, classes in the candidate's order); null for no base.

    `anew` are the scores of models trained anew, `seed` that of the draws for a metric that the project wrote.
    """

    rows: pl.DataFrame
    labels: NDArray[Any]
    groups: Ints
    candidate: Floats
    base: Floats | None
    thresholds: tuple[float, float]
    reason: str | None
    judged: Judged
    anew: Anew = noise.NOTHING
    seed: int = 7


def unit(group: str | None, split_group: str | None, names: Names) -> Unit:
    """Choose the unit: compare.group, else split.group, else the day, else rows."""
    column = group or split_group
    if column is None and names.time is not None:
        return Unit(names.time, by_day=True)
    return Unit(column, by_day=False)


def score(
    held_out: pl.DataFrame,
    candidate: Bundle,
    base: Bundle | None,
    names: Names,
    unit: Unit,
    *,
    trained_on: pl.DataFrame | None = None,
    reason: str | None = None,
    anew: tuple[Sequence[Bundle], Sequence[Bundle]] = ((), ()),
    seed: int = 7,
) -> Scored:
    """Score the held-out rows that neither model was trained on.

    Args:
        held_out: the candidate's raw held-out rows.
        candidate: answers all of them.
        base: None where there is no base.
        names: of the candidate's schema.
        unit: of independence.
        trained_on: row_id and row_hash of the rows that the base was fitted on.
        reason: why the base cannot be judged, when that is known already.
        anew: models of base and candidate that were trained anew.
        seed: of the draws for a metric that the project wrote.
    """
    rows, removed = _unseen(held_out, names, trained_on)
    if removed == len(held_out):
        rows, reason = held_out, f"the base was trained on all {removed:,} held-out rows"
    theirs: Floats | None = None
    if base is not None and reason is None:
        try:
            theirs = _aligned(base, candidate, rows)
        except _CannotTell as why:
            reason = str(why)
    again = noise.NOTHING
    if theirs is not None and base is not None:
        again = Anew(
            candidate=[_aligned(model, candidate, rows) for model in anew[1]],
            base=[_aligned(model, candidate, rows) for model in anew[0]],
        )
    groups = _groups(rows, unit)
    if groups is None:
        groups, reason = np.arange(len(rows)), f"the base judges by {unit.column}, which the rows lack"
    return Scored(
        rows=rows,
        labels=_labels(rows[names.label], candidate),
        groups=groups,
        candidate=_flat(candidate.scores(frames.raw(rows, _kinds(candidate)))),
        base=theirs if reason is None else None,
        thresholds=(base.signature.threshold if base else 0.5, candidate.signature.threshold),
        reason=reason,
        judged=Judged(
            held_out=len(held_out),
            rows=len(rows),
            groups=int(groups.max()) + 1 if len(groups) else 0,
            group=_unit_name(rows, unit, names),
            period=_period(rows, names),
            hash=_hash(rows, names),
            largest_group=float(np.bincount(groups).max() / len(rows)) if len(rows) else 0.0,
        ),
        anew=again,
        seed=seed,
    )


def table(scored: Scored, suited: Mapping[str, Metric], gates: Gates, level: float) -> list[MetricRow]:
    """Judge the primary metric first, then those with gates, then the usual ones."""
    usual = [name for name, metric in suited.items() if metric.usual]
    order = dict.fromkeys([gates.primary, *gates.metrics, *usual])
    return [row(suited[name], scored, gates, level) for name in order]


def influence(
    name: str, scored: Scored, side: str, rows: NDArray[np.bool_] | None = None, scores: Floats | None = None
) -> Influence:
    """Measure one side, on all rows or some, by its scores or others. Raises DegenerateRows."""
    if scores is None:
        scores = scored.base if side == "base" else scored.candidate
    if scores is None:
        raise DegenerateRows(scored.reason or "there is no base")
    labels = scored.labels
    if rows is not None:
        scores, labels = scores[rows], labels[rows]
    _known_classes(labels)
    return metrics.measure(name, labels, scores, scored.thresholds[0 if side == "base" else 1])


def difference(name: str, scored: Scored, rows: NDArray[np.bool_] | None = None) -> tuple[float, float, Estimate]:
    """Give base, candidate and their difference, with the noise of training, on all rows or some.

    Raises:
        DegenerateRows: the rows cannot support the metric, for one of the sides or models trained anew.
    """
    base, candidate = (influence(name, scored, side, rows) for side in ("base", "candidate"))
    groups = scored.groups if rows is None else statistics.codes(scored.groups[rows])
    found = statistics.difference(base, candidate, groups)
    found = noise.add(found, scored.anew, lambda scores, side: influence(name, scored, side, rows, scores).value)
    return base.value, candidate.value, found


def describe(estimate: Estimate, level: float) -> Difference:
    """Give a difference as the report has it."""
    return Difference(
        value=estimate.value,
        standard_error=estimate.standard_error,
        groups=estimate.groups,
        interval=estimate.interval(level),
        noise=estimate.noise,
        noise_freedom=estimate.noise_freedom,
        row_error=estimate.row_error,
    )


def undecided(scored: Scored) -> list[str]:
    """Name the sides, the base first, that give several rows one and the same score."""
    sides = {"base": scored.base, "candidate": scored.candidate}
    several = len(scored.labels) > 1
    return [side for side, scores in sides.items() if several and scores is not None and (scores == scores[0]).all()]


def row(metric: Metric, scored: Scored, gates: Gates, level: float) -> MetricRow:
    """Judge one metric, also one that has no gate; null with a reason where the rows cannot support it."""
    gate = gates.metrics.get(metric.name)
    values: dict[str, float] = {}
    reason, found = None, None
    for side in ("candidate", "base"):
        try:
            values[side] = _value(metric, scored, side)
        except DegenerateRows as why:
            whose = " (the base)" if side == "base" and scored.base is not None else ""
            reason = reason or f"{_sentence(why)}{whose}"
    if len(values) == 2:
        try:
            found = _own_difference(metric, scored) if metric.own else difference(metric.name, scored)[2]
        except DegenerateRows as why:
            reason = _sentence(why)
    if found and found.groups < FEWEST_GROUPS:
        reason = f"{found.groups} groups, fewer than {FEWEST_GROUPS}"
    return MetricRow(
        name=metric.name,
        better=metric.better,
        base=values.get("base"),
        candidate=values.get("candidate"),
        difference=describe(found, level) if found else None,
        matters=gate.matters if gate else None,
        word=rules.word(metric, found, gate.matters, level) if found and gate else "cannot tell",
        reason=reason,
    )


def _value(metric: Metric, scored: Scored, side: str) -> float:
    if not metric.own:
        return influence(metric.name, scored, side).value
    return _weighted(metric, scored, side)(np.ones(len(scored.labels)))


def _own_difference(metric: Metric, scored: Scored) -> Estimate:
    """Judge a metric that the project wrote by drawing groups: it has no influence values."""
    base, candidate = (_weighted(metric, scored, side) for side in ("base", "candidate"))
    found = statistics.bootstrap(lambda w: candidate(w) - base(w), scored.groups, scored.seed)
    everybody = np.ones(len(scored.labels))
    return noise.add(found, scored.anew, lambda scores, side: _weighted(metric, scored, side, scores)(everybody))


def _weighted(metric: Metric, scored: Scored, side: str, scores: Floats | None = None) -> Callable[[Floats], float]:
    if scores is None:
        scores = scored.base if side == "base" else scored.candidate
    if scores is None or metric.own is None:
        raise DegenerateRows(scored.reason or "there is no base")
    _known_classes(scored.labels)
    of, given = metric.own, metrics.checked(metric.name, scored.labels, scores)
    return lambda weights: float(of(scored.labels, given, weights))


def _known_classes(labels: NDArray[Any]) -> None:
    if labels.dtype == np.int64 and (unseen := int((labels < 0).sum())):
        raise DegenerateRows(f"{unseen} held-out rows have a label that the candidate was never trained on")


class _CannotTell(Exception):
    """The base cannot be judged on these rows."""


def _aligned(base: Bundle, candidate: Bundle, rows: pl.DataFrame) -> Floats:
    """Give the base's scores with its classes in the candidate's order."""
    theirs, ours = base.signature, candidate.signature
    if theirs.task != ours.task:
        raise _CannotTell(f"the task changed from {theirs.task} to {ours.task}")
    if theirs.label != ours.label:
        raise _CannotTell(f"the base predicts {theirs.label}, the candidate {ours.label}")
    if absent := [c.name for c in theirs.columns if c.name not in rows.columns]:
        raise _CannotTell(f"the base needs {', '.join(absent)}, which these rows lack")
    if unknown := [name for name in ours.classes if name not in theirs.classes]:
        raise _CannotTell(f"the base does not know the class {', '.join(unknown)}")
    if dropped := [name for name in theirs.classes if name not in ours.classes]:
        raise _CannotTell(f"the candidate dropped the class {', '.join(dropped)}")
    try:
        scores = base.scores(frames.raw(rows, _kinds(base)))
    except MergelineError as error:
        raise _CannotTell(f"the base cannot read these rows: {_sentence(error)}") from error
    return _flat(scores[:, [theirs.classes.index(name) for name in ours.classes]] if ours.classes else scores)


def _kinds(model: Bundle) -> dict[str, Kind]:
    return {column.name: column.kind for column in model.signature.columns}


def _unseen(held_out: pl.DataFrame, names: Names, trained_on: pl.DataFrame | None) -> tuple[pl.DataFrame, int]:
    if trained_on is None:
        return held_out, 0
    seen = held_out[names.row_id].cast(pl.String).is_in(trained_on["row_id"].to_list())
    seen |= frames.hashes(held_out).is_in(trained_on["row_hash"].to_list())
    return held_out.filter(~seen), int(seen.sum())


def _hash(rows: pl.DataFrame, names: Names) -> str:
    """Name the rows and what came of them, whatever the other columns: a new column makes no new held-out rows."""
    lines = frames.hashes(rows.select(names.row_id, names.label)).sort().to_list()
    return sha256("".join(lines).encode()).hexdigest()


def _groups(rows: pl.DataFrame, unit: Unit) -> Ints | None:
    if unit.column is None:
        return np.arange(len(rows))
    if unit.column not in rows.columns:
        return None
    values = rows[unit.column]
    return statistics.codes((frames.days(values) if unit.by_day else values.cast(pl.String)).fill_null("").to_list())


def _unit_name(rows: pl.DataFrame, unit: Unit, names: Names) -> str | None:
    """Call the unit what a reader calls it: a time column that holds days is the day."""
    if unit.column is None or unit.column not in rows.columns:
        return None
    by_day = unit.by_day or (unit.column == names.time and rows[unit.column].dtype in (pl.String, pl.Date))
    days = by_day and (unit.by_day or frames.days(rows[unit.column]).n_unique() == rows[unit.column].n_unique())
    return "day" if days else unit.column


def _labels(values: pl.Series, candidate: Bundle) -> NDArray[Any]:
    if candidate.signature.task == "regression":
        return values.cast(pl.Float64).to_numpy()
    codes = {name: code for code, name in enumerate(candidate.signature.classes)}
    texts: Sequence[str] = values.cast(pl.String).fill_null(MISSING).to_list()
    return np.array([codes.get(value, -1) for value in texts], dtype=np.int64)


def _flat(scores: Floats) -> Floats:
    return scores if scores.shape[1] > 2 else scores[:, -1]


def _period(rows: pl.DataFrame, names: Names) -> tuple[str, str] | None:
    if names.time is None or not len(rows):
        return None
    days = frames.days(rows[names.time])
    return str(days.min()), str(days.max())


def _sentence(error: MergelineError) -> str:
    return str(error.args[0]) if error.args else str(error)
