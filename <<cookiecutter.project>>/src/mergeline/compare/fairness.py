"""What both models do to the values of sensitive columns, and how wide the gaps between these values are.

The measures are those of group fairness (Hardt, Price & Srebro 2016; Barocas, Hardt & Narayanan 2023, chapter 3), as
`fairlearn` defines them: a gap is the largest less the smallest value of a model.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import metrics, statistics
from ..errors import DegenerateRows
from ..metrics import summed
from ..statistics import Floats, Influence
from . import noise
from .judge import Scored, describe
from .report import Fairness, FairnessRow
from .slices import FALSE_DISCOVERIES, NAMED, adjusted, large_enough, values

Masks = dict[str, NDArray[np.bool_]]
Counted = Callable[[NDArray[Any], Floats, float], tuple[NDArray[Any], NDArray[Any]]]
"""From labels, scores and a threshold to two columns, shape (n,): the measure is the sum of one over that of the other."""


def _mean(of: Callable[[NDArray[Any], Floats, float], NDArray[Any]]) -> Counted:
    return lambda labels, scores, threshold: (of(labels, scores, threshold), np.ones(len(labels)))


def _rate(label: int) -> Counted:
    """Give the share of rows called positive among those of a label."""
    return lambda labels, scores, threshold: (
        metrics.called(scores, threshold) * (labels == label),
        1.0 * (labels == label),
    )


TWO_CLASSES: dict[str, Counted] = {
    "selection rate": _mean(lambda _, scores, threshold: metrics.called(scores, threshold)),
    "true positive rate": _rate(1),
    "false positive rate": _rate(0),
    "mean calibration error": _mean(lambda labels, scores, _: scores - labels),
}
MORE_CLASSES: dict[str, Counted] = {
    "accuracy": _mean(lambda labels, scores, threshold: metrics.called(scores, threshold) == labels)
}
REGRESSION: dict[str, Counted] = {"mean error": _mean(lambda labels, scores, _: scores - labels)}


def run(scored: Scored, columns: tuple[str, ...], level: float) -> Fairness | None:
    """Measure every value that has enough rows and groups, and the gaps between the values of a column.

    None where no column is sensitive, or the rows or the candidate's scores support nothing. Without a base the
    candidate is measured alone. A difference is shown where its probability, adjusted over all differences here
    (Benjamini & Hochberg 1995), is at most 5%.
    """
    try:
        checked = metrics.checked("fairness", scored.labels, scored.candidate)
    except DegenerateRows:
        return None
    classes = scored.labels.dtype == np.int64
    if not columns or (classes and (scored.labels < 0).any()):
        return None
    measures = (TWO_CLASSES if checked.ndim == 1 else MORE_CLASSES) if classes else REGRESSION
    gaps: list[FairnessRow] = []
    rows: list[FairnessRow] = []
    small: list[str] = []
    for column in columns:
        masks: Masks = {}
        for value, inside in values(scored, column):
            if inside is not None and large_enough(scored, inside):
                masks[value] = inside
            else:
                small.append(f"{column} = {value}")
        for name, counted in measures.items():
            rows += [_row(scored, counted, {value: inside}, level, column, name) for value, inside in masks.items()]
            if len(masks) > 1:
                gaps.append(_row(scored, counted, masks, level, column, name))
    return _told([*gaps, *rows], small)


def _row(scored: Scored, counted: Counted, masks: Masks, level: float, column: str, measure: str) -> FairnessRow:
    """Measure one value, or the gap between several."""
    inside = np.any(list(masks.values()), axis=0)
    ours, shares = _measured(scored, counted, masks, inside, scored.candidate, "candidate")
    between = None
    if len(masks) > 1:
        between = max(shares, key=lambda value: shares[value]), min(shares, key=lambda value: shares[value])
    theirs, found, reason = None, None, scored.reason
    if scored.base is not None:
        try:
            theirs, _ = _measured(scored, counted, masks, inside, scored.base, "base")
            found = noise.add(
                statistics.difference(theirs, ours, statistics.codes(scored.groups[inside])),
                scored.anew,
                lambda scores, side: _measured(scored, counted, masks, inside, scores, side)[0].value,
            )
        except DegenerateRows as why:
            reason = str(why.args[0])
    return FairnessRow(
        column=column,
        value=None if between else next(iter(masks)),
        measure=measure,
        rows=int(inside.sum()),
        between=between,
        base=theirs.value if theirs else None,
        candidate=ours.value,
        difference=describe(found, level) if found else None,
        reason=reason,
    )


def _measured(
    scored: Scored, counted: Counted, masks: Masks, inside: NDArray[np.bool_], scores: Floats, side: str
) -> tuple[Influence, dict[str, float]]:
    """Give a side's measure, or its gap, on the rows `inside`, and the measure of each value.

    A gap's influence is that of the largest value less that of the smallest one. Each model has its own two values: with
    those of the candidate the base would seem narrower even where both are equal.

    Raises:
        DegenerateRows: scores are not finite.
    """
    threshold = scored.thresholds[0 if side == "base" else 1]
    over, under = counted(scored.labels[inside], metrics.checked("fairness", scored.labels, scores)[inside], threshold)
    found = {value: summed.ratio(over * mask[inside], under * mask[inside]) for value, mask in masks.items()}
    shares = {value: influence.value for value, influence in found.items()}
    if len(found) == 1:
        return next(iter(found.values())), shares
    high, low = max(found, key=lambda value: shares[value]), min(found, key=lambda value: shares[value])
    return statistics.subtract(found[low], found[high]), shares


def _told(rows: list[FairnessRow], small: list[str]) -> Fairness:
    """Adjust the probabilities over all differences and say which ways they point."""
    tested = [row.difference.estimate() for row in rows if row.difference]
    left = iter(adjusted(tested))
    told: list[FairnessRow] = []
    for row in rows:
        if row.difference is None:
            told.append(row)
            continue
        q, up = float(next(left)), row.difference.value > 0
        changes: dict[str, Any] = {"q": q}
        if q <= FALSE_DISCOVERIES:
            changes["word"] = ("wider" if up else "narrower") if row.between else ("higher" if up else "lower")
        told.append(msgspec.structs.replace(row, **changes))
    return Fairness(rows=told, tested=len(tested), too_small=small[:NAMED])
