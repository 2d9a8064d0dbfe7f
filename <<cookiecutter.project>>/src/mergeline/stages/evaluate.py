"""Measure the model on the held-out rows: each metric with its interval by group, each slice, each row's score."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import config, files, frames, metrics, statistics
from ..config import Params
from ..errors import DegenerateRows
from . import groups
from .schema import HELD_OUT, Schema, schema, targets, text
from .table import Fitted, feature_frame, fitted

LARGEST_SLICES = 50


def run(root: Path) -> None:
    """Write results/metrics.json and results/predictions.parquet. Raises BadData, BadSettings."""
    params, known, model = config.of_stage(root), schema(), fitted(root)
    rows = frames.read(root / HELD_OUT, known.dtypes)
    labels = targets(rows[known.label], params.task, model.classes)
    scores = model.scores(feature_frame(rows, known))
    judged = scores if len(model.classes) > 2 else scores[:, -1]

    name, of_rows = groups.names(rows, known, params)
    group, threshold = statistics.codes(of_rows), model.operating(params)
    found: dict[str, Any] = {
        "metrics": {
            metric: _measured(metric, labels, judged, group, params, threshold)
            for metric in metrics.of_task(params.task)
        },
        "slices": {column: _slices(text(rows, column), labels, judged, params, threshold) for column in known.slices},
        "rows": len(rows),
        "groups": int(group.max()) + 1,
        "group": name,
        "period": period(rows, known),
    }
    frames.write(root / "results/predictions.parquet", predictions(rows, known, scores, model))
    files.write_json(root / "results/metrics.json", found)


def period(rows: pl.DataFrame, known: Schema) -> tuple[str, str] | None:
    """Give the first and last day, both inclusive."""
    if known.time is None:
        return None
    days = frames.days(rows[known.time])
    return str(days.min()), str(days.max())


def predictions(rows: pl.DataFrame, known: Schema, scores: NDArray[np.float64], model: Fitted) -> pl.DataFrame:
    """Give a row's id and hash and its score, or one column per class where there are more than two."""
    if len(model.classes) > 2:
        columns = [pl.Series(name, scores[:, i]) for i, name in enumerate(model.classes)]
    else:
        columns = [pl.Series("score", scores[:, -1])]
    return pl.DataFrame([rows[known.row_id].cast(pl.String).alias("row_id"), frames.hashes(rows), *columns])


def _value(
    name: str, labels: NDArray[Any], scores: NDArray[np.float64], params: Params, threshold: float
) -> statistics.Influence:
    if params.task == "classification" and (unseen := int((labels < 0).sum())):
        raise DegenerateRows(f"{unseen} held-out rows have a label that no training row had")
    return metrics.measure(name, labels, scores, threshold)


def _measured(
    name: str,
    labels: NDArray[Any],
    scores: NDArray[np.float64],
    group: NDArray[np.int64],
    params: Params,
    threshold: float,
) -> dict[str, Any]:
    found: dict[str, Any] = {"value": None, "interval": None, "reason": None}
    try:
        influence = _value(name, labels, scores, params, threshold)
        found["value"] = influence.value
        found["interval"] = statistics.estimate(influence, group).interval(params.compare.level)
    except DegenerateRows as error:
        found["reason"] = str(error)
    return found


def _slices(
    values: pl.Series, labels: NDArray[Any], scores: NDArray[np.float64], params: Params, threshold: float
) -> dict[str, dict[str, float | None]]:
    sizes = values.value_counts().sort(["count", values.name], descending=[True, False]).head(LARGEST_SLICES)
    found: dict[str, dict[str, float | None]] = {}
    for value in sizes[values.name].sort().to_list():
        rows = (values == value).to_numpy()
        found[value] = {"rows": int(rows.sum())}
        for name in metrics.of_task(params.task):
            try:
                found[value][name] = _value(name, labels[rows], scores[rows], params, threshold).value
            except DegenerateRows:
                found[value][name] = None
    return found
