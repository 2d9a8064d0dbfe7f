"""Fit the pipeline of src/model/estimator.py on the training rows."""

import os
import pickle
import platform
import resource
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl

from .. import config, files, frames
from ..progress import step
from . import threshold
from .fit import fit
from .schema import TRAIN, schema
from .table import ESTIMATOR


def run(root: Path) -> None:
    """Write the pickled pipeline, which rows it saw, and what it cost. Raises BadData, BadSettings, BrokenCode."""
    params, known = config.of_stage(root), schema()
    rows = frames.read(root / TRAIN, known.dtypes)
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


UNITS_PER_MB = 1024**2 if sys.platform == "darwin" else 1024
