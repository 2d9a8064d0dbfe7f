"""Slices that nobody named: a small tree looks for rows that lost or won, and other rows say whether it is true.

What is found and tested on the same rows looks real nearly always (on the example's flights in 98.5% of pull requests
that change nothing), so half of the groups is searched and the other half alone is tested (Athey & Imbens 2016).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from .. import metrics
from ..columns import MISSING, Kind
from ..errors import DegenerateRows
from ..statistics import Floats
from .judge import Names, Scored, influence
from .report import FEWEST_GROUPS, SliceRow
from .slices import Tested, judged, moved

DEPTH, LEAF = 3, 0.02
FREQUENT = 12
"""Values of a text column that a rule can name."""
SEARCHED_ROWS = 20_000
SHOWN = 3
OR_MISSING = " or missing)"
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Question:
    """What a tree may ask of a row: is a number column at most x, or (`value`) does a text column have this value.

    `missing` says whether some rows have no number.
    """

    column: str
    value: str | None = None
    missing: bool = False


def run(
    scored: Scored, kinds: Mapping[str, Kind], names: Names, metric: metrics.Metric, matters: float, level: float
) -> tuple[list[SliceRow], int]:
    """Give at most three slices that moved, as rules, and how many were tested; see `slices.run`.

    Args:
        scored: both models; with fewer than 20 groups nothing is searched for.
        kinds: the columns of a request. Time and sensitive columns are left out.
        names: of the candidate's schema.
        metric: which is tested on the half that was not searched.
        matters: the smallest difference that is shown.
        level: of the intervals.
    """
    groups = int(scored.groups.max()) + 1 if len(scored.groups) else 0
    if scored.base is None or metric.own or groups < 2 * FEWEST_GROUPS:
        return [], 0
    questions = _questions(scored.rows, kinds, {names.time, *names.sensitive})
    try:
        worse = losses(scored)
    except DegenerateRows:
        return [], 0
    if not questions:
        return [], 0
    rng = np.random.default_rng(scored.seed)
    searched = np.isin(scored.groups, rng.permutation(groups)[: groups // 2])
    rows = np.flatnonzero(searched)
    if len(rows) > SEARCHED_ROWS:
        rows = np.sort(rng.choice(rows, SEARCHED_ROWS, replace=False))
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAF, random_state=scored.seed)
    tree.fit(_answers(scored.rows[rows], questions), worse[rows])
    others = np.flatnonzero(~searched)
    leaves = np.full(len(searched), -1)
    leaves[others] = tree.apply(_answers(scored.rows[others], questions))
    tested: list[Tested] = []
    for leaf, (columns, rule) in rules(tree, questions).items():
        found = judged(scored, columns, rule, leaves == leaf, metric)
        if found:
            tested.append(found)
    return moved(tested, "Benjamini-Hochberg", metric, matters, level)[:SHOWN], len(tested)


def losses(scored: Scored) -> Floats:
    """Give by how much each row's loss rose, shape (n,), up to a constant: log loss, or squared error for regression.

    Raises:
        DegenerateRows: scores are not finite, or a label is unknown.
    """
    name = "log_loss" if scored.labels.dtype == np.int64 else "rmse"
    theirs, ours = (influence(name, scored, side).rows for side in ("base", "candidate"))
    if name == "log_loss":
        return (ours - theirs) * len(ours)
    base = np.asarray(scored.base)
    return np.asarray(np.square(scored.candidate - scored.labels) - np.square(base - scored.labels))


def rules(tree: DecisionTreeRegressor, questions: list[Question]) -> dict[int, tuple[str, str]]:
    """Read a fitted tree: for each leaf the columns that its rule asks for, and the rule in words.

    A tree without a question gives none: its one leaf is everything.
    """
    found: dict[int, tuple[str, str]] = {}
    made = tree.tree_

    def walk(node: int, path: dict[tuple[str, str], str]) -> None:
        if made.children_left[node] == -1:
            if path:
                found[node] = ", ".join(dict.fromkeys(column for column, _ in path)), " and ".join(path.values())
            return
        asked, edge = questions[made.feature[node]], float(made.threshold[node])
        missing_left = bool(made.missing_go_to_left[node])
        for child, low in ((made.children_left[node], True), (made.children_right[node], False)):
            walk(child, _narrowed(path, asked, edge, low=low, missing=missing_left == low))

    walk(0, {})
    return found


def _narrowed(
    path: dict[tuple[str, str], str], asked: Question, edge: float, *, low: bool, missing: bool
) -> dict[tuple[str, str], str]:
    """Add a condition to a rule; a later edge of the same side of a column replaces the earlier one."""
    column, sign = asked.column, "<=" if low else ">"
    if asked.value is None:
        before = [words for (name, _), words in path.items() if name == column]
        words = f"{column} {sign} {edge:.4g}"
        if missing and asked.missing and all(OR_MISSING in earlier for earlier in before):
            words = f"({words}{OR_MISSING}"
        return {**path, (column, sign): words}
    if low:
        return {**path, (column, f"is not {asked.value}"): f"{column} is not {asked.value}"}
    others = {key: words for key, words in path.items() if key[0] != column}
    return {**others, (column, "is"): f"{column} is {asked.value}"}


def _questions(rows: pl.DataFrame, kinds: Mapping[str, Kind], left_out: set[str | None]) -> list[Question]:
    found: list[Question] = []
    for column, kind in kinds.items():
        if column in left_out or kind == "time":
            continue
        if kind == "number":
            found.append(Question(column, missing=bool(np.isnan(_numbers(rows, column)).any())))
            continue
        sizes = _text(rows, column).value_counts().sort(["count", column], descending=[True, False])
        found += [Question(column, value) for value in sizes[column].head(FREQUENT)]
    return found


def _answers(rows: pl.DataFrame, questions: list[Question]) -> NDArray[np.float32]:
    """Give shape (n, questions): numbers with NaN, and 1 where a text column has the value."""
    table = np.empty((len(rows), len(questions)), dtype=np.float32)
    for i, asked in enumerate(questions):
        if asked.value is None:
            table[:, i] = np.clip(_numbers(rows, asked.column), -LARGEST, LARGEST)
        else:
            table[:, i] = (_text(rows, asked.column) == asked.value).to_numpy()
    return table


def _numbers(rows: pl.DataFrame, column: str) -> Floats:
    return rows[column].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _text(rows: pl.DataFrame, column: str) -> pl.Series:
    return rows[column].cast(pl.String).fill_null(MISSING)
