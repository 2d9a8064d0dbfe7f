"""Fit the pipeline of src/model/estimator.py on the training rows."""

import os
import pickle
import platform
import resource
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import polars as pl
from threadpoolctl import threadpool_limits

from .. import config, files, frames
from ..config import Params
from ..errors import BadData, BadSettings
from ..progress import step
from . import threshold
from .schema import TRAIN, Schema, classes, schema, targets
from .table import ESTIMATOR, Fitted, feature_frame


def run(root: Path) -> None:
    """Write the pickled pipeline, which rows it saw, and what it cost. Raises BadData, BadSettings."""
    params, known = config.of_stage(root), schema()
    rows = frames.read(root / TRAIN)
    with step(f"Fit on {len(rows):,} rows"):
        model, seconds = fit(rows, known, params, params.seeds.train)
    if params.threshold.rule == "best_f1":
        with step(f"Choose the threshold on {threshold.FOLDS} folds"):
            model = replace(model, threshold=threshold.best_f1(rows, known, params, model.classes, fit))
    cost = {
        "seconds": round(seconds, 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNITS_PER_MB),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "rows": len(rows),
        "features": model.pipeline.n_features_in_,
        "classes": dict(rows[known.label].cast(pl.String).value_counts(sort=True).iter_rows()) if model.classes else {},
    }
    kept = {"pipeline": model.pipeline, "classes": model.classes, "threshold": model.threshold}
    files.write(root / ESTIMATOR, pickle.dumps(kept, protocol=5))
    seen = pl.DataFrame([rows[known.row_id].cast(pl.String).alias("row_id"), frames.hashes(rows)])
    frames.write(root / "results/trained_on.parquet", seen)
    files.write_json(root / "results/cost.json", cost)


def fit(rows: pl.DataFrame, known: Schema, params: Params, seed: int) -> tuple[Fitted, float]:
    """Fit the pipeline of src/model/estimator.py on raw rows; give it and the seconds that the fit itself took.

    Raises:
        BadData: one class only, a feature that is missing in all rows, or a fit that fails.
        BadSettings: params.yaml lacks what the estimator asks for.
    """
    from model.estimator import estimator

    labels = rows[known.label]
    names = classes(labels) if params.task == "classification" else []
    if params.task == "classification" and len(names) < 2:
        raise BadData(
            f"column {known.label}: all {len(rows)} training rows have the label {names[0] if names else 'missing'}",
            "Train on rows of both classes: widen the data or change split.",
        )
    wanted = targets(labels, params.task, names)
    made = feature_frame(rows, known)
    if empty := [name for name in made.columns if made[name].dtype == pl.Float32 and made[name].is_nan().all()]:
        raise BadData(
            f"feature {', '.join(empty)}: missing in all {len(rows)} training rows",
            "Mend the data, or leave it out of NUMERIC in src/model/features.py.",
        )
    try:
        pipeline = estimator(params.model, seed)
    except KeyError as error:
        raise BadSettings(f"params.yaml: model has no {error}, which src/model/estimator.py asks for") from error
    begun = perf_counter()
    # BLAS sums in another order with another number of threads.
    with threadpool_limits(1, user_api="blas"):
        try:
            pipeline.fit(made, wanted)
        except (TypeError, ValueError) as error:
            raise BadData(f"src/model/estimator.py: the fit fails: {' '.join(str(error).split()):.300}") from error
    return Fitted(pipeline, names), perf_counter() - begun


UNITS_PER_MB = 1024**2 if sys.platform == "darwin" else 1024
