"""What is wrong with the candidate's rows: content or groups that stand on both sides, columns that give the label away."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from .. import frames
from ..bundle import Signature
from ..columns import MISSING, Kind, Raw
from ..statistics import Floats
from .judge import Names
from .report import DataChecks, Suspect

TRAIN = "data/train.parquet"
SUSPICIOUS = 0.95
"""The AUC, or R2, from which a column alone predicts the label better than an honest one does."""
LEAVES = 16
TRAINING_ROWS, JUDGED_ROWS = 20_000, 50_000


def run(
    root: Path, held_out: pl.DataFrame, signature: Signature, names: Names, group: str | None, seed: int
) -> DataChecks:
    """Look at the columns that a request has: what src/model/schema.py does not name reaches no model.

    Args:
        root: the candidate's project.
        held_out: its raw held-out rows.
        signature: of its bundle.
        names: of its schema.
        group: the column by which rows are split, if any.
        seed: of the rows that are looked at where there are many.

    Raises:
        BadData: the training rows cannot be read.
    """
    train = frames.read(root / TRAIN)
    columns = [column.name for column in signature.columns]
    content = [name for name in columns if name not in (names.time, names.row_id)]
    return DataChecks(
        duplicates=_duplicates(train, held_out, [*content, names.label]) if content else 0,
        shared_groups=_shared(train, held_out, group) if group and group in held_out.columns else 0,
        suspects=suspects(_some(train, TRAINING_ROWS, seed), _some(held_out, JUDGED_ROWS, seed), signature),
    )


def _duplicates(train: pl.DataFrame, held_out: pl.DataFrame, columns: Sequence[str]) -> int:
    """Count held-out rows that training holds too, row id and time column aside."""
    return len(held_out.join(train, on=columns, how="semi", nulls_equal=True))


def _shared(train: pl.DataFrame, held_out: pl.DataFrame, group: str) -> int:
    """Count the groups on both sides, where each should be on one."""
    sides = [set(rows[group].drop_nulls().to_list()) for rows in (train, held_out)]
    return len(sides[0] & sides[1])


def _some(rows: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    return rows if len(rows) <= most else rows.sample(most, seed=seed)


def suspects(train: pl.DataFrame, held_out: pl.DataFrame, signature: Signature) -> list[Suspect]:
    """Name the columns from which a small tree predicts the label of held-out rows with an AUC, or R2, of 0.95.

    More than two classes: the mean of each class against the others. Empty where the held-out rows have one class.
    """
    kinds = {column.name: column.kind for column in signature.columns}
    labels = [_labels(rows[signature.label], signature) for rows in (train, held_out)]
    raw = [frames.raw(rows, kinds) for rows in (train, held_out)]
    measure, found = _r2 if signature.task == "regression" else _auc, []
    for name, inputs in _inputs(raw[0], raw[1], labels[0], kinds):
        score = measure(labels[1], _predicted(*inputs, labels[0]))
        if score is not None and score >= SUSPICIOUS:
            found.append(Suspect(column=name, score=score))
    return sorted(found, key=lambda suspect: -suspect.score)


def _labels(values: pl.Series, signature: Signature) -> Floats:
    """Give shape (n, classes): which class a row has; of two the second alone. Regression: the value, shape (n, 1)."""
    if signature.task == "regression":
        return values.cast(pl.Float64).to_numpy().reshape(-1, 1)
    texts = values.cast(pl.String).fill_null(MISSING).to_numpy()
    classes = signature.classes if len(signature.classes) > 2 else signature.classes[-1:]
    return np.column_stack([texts == name for name in classes]).astype(np.float64)


def _inputs(
    train: Raw, held_out: Raw, labels: Floats, kinds: dict[str, Kind]
) -> Iterator[tuple[str, tuple[NDArray[Any], NDArray[Any]]]]:
    """Give each column's numbers, shape (n, k), for training and judging: of a text the mean labels of its value."""
    for name, kind in kinds.items():
        if kind == "text":
            values, place = np.unique(train[name].astype(str), return_inverse=True)
            counts = np.bincount(place)[:, None]
            means = np.column_stack([np.bincount(place, labels[:, k]) for k in range(labels.shape[1])]) / counts
            given = held_out[name].astype(str)
            at = np.minimum(np.searchsorted(values, given), len(values) - 1)
            known = (values[at] == given)[:, None]
            yield name, (means[place], np.where(known, means[at], labels.mean(0)))
        else:
            yield name, (_numbers(train[name]), _numbers(held_out[name]))


def _numbers(values: NDArray[Any]) -> NDArray[np.float32]:
    """Give shape (n, 1), as a tree takes it: missing values, and those beyond its numbers, as NaN."""
    if values.dtype.kind == "M":
        values = np.where(np.isnat(values), np.nan, values.astype(np.float64))
    with np.errstate(over="ignore"):
        shorter = values.astype(np.float32)
    return np.where(np.isfinite(shorter), shorter, np.float32(np.nan)).reshape(-1, 1)


def _predicted(train: NDArray[Any], held_out: NDArray[Any], labels: Floats) -> Floats:
    """Give shape (n, classes): the mean labels of the leaf that a held-out row falls into."""
    from sklearn.tree import DecisionTreeRegressor

    # Of labels 0 and 1 the squared error is half the Gini impurity: this is a classifier's tree too.
    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(train, labels)
    return np.asarray(tree.predict(held_out)).reshape(len(held_out), -1)


def _r2(labels: Floats, predicted: Floats) -> float | None:
    spread = np.square(labels - labels.mean()).sum()
    return float(1 - np.square(labels - predicted).sum() / spread) if spread else None


def _auc(labels: Floats, predicted: Floats) -> float | None:
    """Give the mean over classes that are there of the area under the ROC curve (Mann & Whitney 1947)."""
    found = []
    for k in range(labels.shape[1]):
        hits = labels[:, k] == 1
        first, second = int(hits.sum()), int((~hits).sum())
        if first and second:
            above = stats.rankdata(predicted[:, k])[hits].sum() - first * (first + 1) / 2
            found.append(above / (first * second))
    return float(np.mean(found)) if found else None
