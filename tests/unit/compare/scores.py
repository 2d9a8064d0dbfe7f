"""Both models' scores without models: rows of groups that err together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mergeline.compare.judge import Scored
from mergeline.compare.noise import NOTHING, Anew
from mergeline.compare.report import Judged
from mergeline.statistics import Floats, codes


def make_scored(
    labels: NDArray[Any] | Sequence[Any],
    base: Any,
    candidate: Any,
    groups: Any = None,
    *,
    thresholds: tuple[float, float] = (0.5, 0.5),
    anew: Anew = NOTHING,
    **columns: Any,
) -> Scored:
    """Score rows `r0`, `r1` …, with one row a group where none is given."""
    found = np.asarray(labels)
    count = len(found)
    group = codes(np.arange(count) if groups is None else groups)
    rows = pl.DataFrame({"id": [f"r{i}" for i in range(count)], "label": found, **columns})
    judged = Judged(held_out=count, rows=count, groups=int(group.max()) + 1, group="day", hash="a" * 64)
    return Scored(
        rows=rows,
        labels=found if found.dtype == np.int64 else found.astype(np.float64),
        groups=group,
        candidate=np.asarray(candidate, dtype=np.float64),
        base=None if base is None else np.asarray(base, dtype=np.float64),
        thresholds=thresholds,
        reason=None,
        judged=judged,
        anew=anew,
    )


def sigmoid(values: Floats) -> Floats:
    """Give probabilities."""
    return np.asarray(1 / (1 + np.exp(-values)))
