"""A small real bundle in a few milliseconds, for every room that needs one."""

import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from mergeline import bundle
from mergeline.config import Task

FEATURES = """
import numpy as np

NUMERIC = ("distance", "hour")
CATEGORICAL = ("carrier",)


def features(raw):
    hour = (raw["sched"].astype("datetime64[h]").astype("int64") % 24).astype(float)
    return {"distance": raw["distance"], "hour": np.where(np.isnat(raw["sched"]), np.nan, hour), "carrier": raw["carrier"]}
"""

ROWS: list[dict[str, Any]] = [
    {"distance": 1400.0, "carrier": "UA", "sched": "2013-06-03T05:15:00Z"},
    {"distance": 200, "carrier": None, "sched": "2013-06-03T23:00:00Z"},
    {"distance": None, "carrier": "B6", "sched": None},
]


def make(folder: Path, *, task: Task = "classification", name: str = "flight-delays", seed: int = 7) -> str:
    """Write a bundle into `folder` (made if absent) and give its id; another seed gives another model.

    Raw columns: `distance` (number), `carrier` (text), `sched` (time). Classes: in time, late.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "distance": rng.uniform(100, 2500, 300).astype(np.float32),
            "hour": rng.integers(0, 24, 300).astype(np.float32),
            "carrier": rng.choice(["UA", "B6", "DL", "(missing)"], 300),
        }
    )
    late = (frame["distance"] / 2500 + (frame["hour"] > 17) + rng.normal(0, 0.3, 300)).to_numpy()
    classify = task == "classification"
    trees = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    encoder = make_column_transformer(
        ("passthrough", [0, 1]), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), [2])
    )
    pipeline = make_pipeline(encoder, trees(max_iter=5, random_state=seed))
    pipeline.fit(frame, np.where(late > 1, "late", "in time") if classify else late * 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = to_onnx(
            pipeline,
            initial_types=[
                (bundle.NUMBERS, FloatTensorType([None, 2])),
                (bundle.TEXTS, StringTensorType([None, 1])),
            ],
            options={id(pipeline): {"zipmap": False}} if classify else None,
        )
    (folder / bundle.MODEL).write_bytes(graph.SerializeToString(deterministic=True))
    (folder / bundle.FEATURES).write_text(FEATURES, encoding="utf-8")
    signature = bundle.Signature(
        name=name,
        task=task,
        label="late" if classify else "delay",
        columns=[
            bundle.Column("distance", "number"),
            bundle.Column("carrier", "text"),
            bundle.Column("sched", "time"),
        ],
        numeric=["distance", "hour"],
        categorical=["carrier"],
        classes=["in time", "late"] if classify else [],
    )
    _write(folder / bundle.SIGNATURE, signature)
    _write(folder / bundle.SMOKE, bundle.Smoke(rows=[], scores=[]))
    bundle.seal(folder)
    loaded = bundle.load(folder)
    scores = loaded.scores(bundle.raw_from_rows(signature, ROWS))
    _write(folder / bundle.SMOKE, bundle.Smoke(rows=ROWS, scores=scores.tolist()))
    return bundle.seal(folder)


def _write(path: Path, record: msgspec.Struct) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
