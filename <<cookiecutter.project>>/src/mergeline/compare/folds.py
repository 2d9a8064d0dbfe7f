"""Earlier periods: both recipes trained on the rows before each, judged on the rows in it.

One month's interval says how sure one month is; months differ by more than that (on the example's flights twice as
much), and only several of them show it.
"""

from pathlib import Path

import numpy as np
import polars as pl

from .. import frames, metrics, refits
from ..bundle import Bundle, with_model
from ..config import Gates
from ..errors import MergelineError
from ..refits import Fold
from ..statistics import Estimate
from . import judge
from .judge import Names, Unit, describe
from .report import Difference, FoldRow, Folds

TRAIN = "data/train.parquet"
FEWEST = 3
"""Periods below which nothing is said of their mean."""


def run(
    base: Path, candidate: Path, models: tuple[Bundle, Bundle], names: Names, unit: Unit, gates: Gates, level: float
) -> Folds | None:
    """Judge every period that the candidate was trained before.

    None where there is none, and for a primary metric that the project wrote: it takes too many draws a period.
    """
    wanted = refits.read(candidate).folds
    if not wanted or names.time is None or gates.primary not in metrics.ALL:
        return None
    theirs = {(fold.first, fold.end): fold for fold in refits.read(base).folds}
    train = frames.read(candidate / TRAIN)
    days = frames.days(train[names.time])
    rows = []
    for fold in wanted:
        other = theirs.get((fold.first, fold.end))
        if other is None:
            reason = "the base was trained for other periods"
            rows.append(FoldRow(first=fold.first, end=fold.end, difference=None, reason=reason))
            continue
        inside = train.filter((days >= fold.first) & (days < fold.end))
        rows.append(
            _judged(
                inside,
                fold,
                _load(base, other, models[0]),
                _load(candidate, fold, models[1]),
                names,
                unit,
                gates,
                level,
            )
        )
    return Folds(metric=gates.primary, rows=rows, mean=mean([r.difference.value for r in rows if r.difference], level))


def mean(differences: list[float], level: float) -> Difference | None:
    """Give the mean over periods, each one observation; None below `FEWEST` periods."""
    if len(differences) < FEWEST:
        return None
    found = np.array(differences)
    error = float(found.std(ddof=1) / len(found) ** 0.5)
    return describe(Estimate(float(found.mean()), error, len(found)), level)


def _load(root: Path, fold: Fold, model: Bundle) -> Bundle:
    return with_model(model, (root / refits.FOLDER / fold.model).read_bytes())


def _judged(
    rows: pl.DataFrame,
    fold: Fold,
    base: Bundle,
    candidate: Bundle,
    names: Names,
    unit: Unit,
    gates: Gates,
    level: float,
) -> FoldRow:
    try:
        scored = judge.score(rows, candidate, base, names, unit)
        theirs, ours, found = judge.difference(gates.primary, scored)
    except MergelineError as why:
        return FoldRow(first=fold.first, end=fold.end, difference=None, reason=str(why.args[0]))
    return FoldRow(first=fold.first, end=fold.end, base=theirs, candidate=ours, difference=describe(found, level))
