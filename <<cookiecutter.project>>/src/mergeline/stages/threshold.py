"""The threshold that has the best F1 on training rows which the model that scores them did not see."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..config import Params
from ..errors import BadData, BadSettings
from . import groups
from .schema import Schema, targets
from .table import Fitted, feature_frame

FOLDS = 3
Fit = Callable[[pl.DataFrame, Schema, Params, int], tuple[Fitted, float]]


def best_f1(rows: pl.DataFrame, known: Schema, params: Params, names: list[str], fit: Fit) -> float:
    """Choose from out-of-fold scores: three folds of whole groups, each scored by a model of the other two.

    Args:
        rows: n training rows.
        known: their schema.
        params: name the group and the seed.
        names: the classes.
        fit: of `train`.

    Raises:
        BadSettings: there are not two classes, or the rows cannot be divided so that every model can be fitted.
    """
    if len(names) != 2:
        what = f"there are {len(names)}" if names else "regression has none"
        raise BadSettings(f"params.yaml: threshold.rule best_f1 needs two classes, {what}", "Set `rule: fixed`.")
    labels = targets(rows[known.label], params.task, names)
    folds = divided(groups.names(rows, known, params)[1], params.seeds.train)
    scores = np.empty(len(rows))
    for fold in range(FOLDS):
        inside = folds == fold
        try:
            model, _ = fit(rows.filter(~pl.Series(inside)), known, params, params.seeds.train)
            scores[inside] = model.scores(feature_frame(rows.filter(pl.Series(inside)), known))[:, -1]
        except BadData as error:
            raise BadSettings(
                f"params.yaml: threshold.rule best_f1 fits on two of {FOLDS} folds of groups, and one cannot be: "
                f"{error.args[0]}",
                "Set `rule: fixed`.",
            ) from error
    return best(labels.astype(bool), scores)


def divided(names: list[str], seed: int) -> NDArray[np.int64]:
    """Give each row's fold, shape (n,), of about equally many groups each. Raises BadSettings below three groups."""
    found, group = np.unique(names, return_inverse=True)
    if len(found) < FOLDS:
        raise BadSettings(
            f"params.yaml: threshold.rule best_f1 needs {FOLDS} groups of training rows, got {len(found)}",
            "Set `rule: fixed`.",
        )
    return (np.random.default_rng(seed).permutation(len(found)) % FOLDS)[group]


def best(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Give the threshold with the largest F1, the highest of equally good ones.

    It lies halfway to the next lower score, so that no row that chose it lies on it.

    >>> best(np.array([True, True, False, False]), np.array([0.9, 0.6, 0.2, 0.1]))
    0.4
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_ties = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    hits = np.cumsum(positive[order])[last_of_ties]
    chosen = int((2 * hits / (last_of_ties + 1 + positive.sum())).argmax())
    lower = ranked[last_of_ties[chosen] + 1] if chosen + 1 < len(last_of_ties) else 0.0
    return float((ranked[last_of_ties[chosen]] + lower) / 2)
