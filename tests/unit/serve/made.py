"""Makes small bundles as training makes them, and rows as clients send them."""

import random
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from mergeline import bundle as bundles
from mergeline.bundle import Column, Signature, Smoke
from mergeline.columns import MISSING

FEATURES = '''"""Features of the made rows."""

import numpy as np

NUMERIC = ("distance", "speed", "hour", "known_time")
CATEGORICAL = ("carrier", "route")


def features(raw):
    """Give the feature columns."""
    planned = raw["planned"]
    midnight = planned.astype("datetime64[D]")
    hour = (planned - midnight) / np.timedelta64(1, "h")
    route = np.array([f"{a}-{b}" for a, b in zip(raw["origin"], raw["dest"], strict=True)], dtype=object)
    return {
        "distance": raw["distance"],
        "speed": raw["distance"] / (raw["minutes"] + 1),
        "hour": np.where(np.isnat(planned), np.nan, hour),
        "known_time": (~np.isnat(planned)).astype(float),
        "carrier": raw["carrier"],
        "route": route,
    }
'''

COLUMNS = [
    Column("distance", "number"),
    Column("minutes", "number"),
    Column("planned", "time"),
    Column("carrier", "text"),
    Column("origin", "text"),
    Column("dest", "text"),
]
NUMERIC = ["distance", "speed", "hour", "known_time"]
CATEGORICAL = ["carrier", "route"]


def made_rows(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Rows as JSON carries them: integers among floats, nulls, absent values, several spellings of a time."""
    pick = random.Random(seed)  # noqa: S311 (test data)
    zones = ["Z", "+00:00", "", "-05:00", "+05:30"]
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        moment = f"2013-06-{pick.randint(1, 30):02}T{pick.randint(0, 23):02}:{pick.randint(0, 59):02}:00"
        row: dict[str, Any] = {
            "distance": pick.choice([None, pick.randint(80, 5000), pick.uniform(80, 5000), True]),
            "minutes": pick.choice([None, pick.randint(0, 600), round(pick.uniform(0, 600), 1)]),
            "planned": pick.choice([None, moment + pick.choice(zones), moment[:10]]),
            "carrier": pick.choice([None, "UA", "AA", "DL", "ÜX", "", "nan"]),
            "origin": pick.choice(["EWR", "JFK", "LGA", None]),
            "dest": pick.choice(["ORD", "ATL", "SFO", "東京", None]),
        }
        if pick.random() < 0.1:
            del row[pick.choice(list(row))]
        rows.append(row)
    return rows


def export(folder: Path, *, classes: tuple[str, ...] = ("no", "yes"), name: str = "made", depth: int = 4) -> Path:
    """Fit trees on made rows and seal a bundle. No classes: a regression."""
    folder.mkdir(parents=True)
    (folder / bundles.FEATURES).write_text(FEATURES)
    signature = Signature(
        name=name,
        task="classification" if classes else "regression",
        label="late",
        columns=COLUMNS,
        numeric=NUMERIC,
        categorical=CATEGORICAL,
        classes=list(classes),
    )
    rows = [row for row in made_rows(600) if row.get("carrier") != "ÜX"]
    numbers, texts = bundles.matrices(
        bundles.load_features(folder / bundles.FEATURES),
        NUMERIC,
        CATEGORICAL,
        bundles.raw_from_rows(signature, rows),
    )
    pipeline = _fit(numbers, texts, classes, depth)
    (folder / bundles.MODEL).write_bytes(_onnx(pipeline))
    (folder / bundles.SIGNATURE).write_bytes(msgspec.json.encode(signature))
    (folder / bundles.SMOKE).write_bytes(msgspec.json.encode(Smoke([], [])))
    bundles.seal(folder)
    smoke = rows[:3]
    loaded = bundles.load(folder, threads=1)
    scores = loaded.scores(bundles.raw_from_rows(signature, smoke)).tolist()
    (folder / bundles.SMOKE).write_bytes(msgspec.json.encode(Smoke(smoke, scores)))
    bundles.seal(folder)
    return folder


def _fit(numbers: NDArray[np.float32], texts: NDArray[np.object_], classes: tuple[str, ...], depth: int) -> Pipeline:
    table = np.column_stack([numbers.astype(object), texts])
    width = numbers.shape[1]
    filled = np.nan_to_num(numbers[:, 0].astype(float)) + 300 * (texts[:, 0] == "UA") + 900 * (texts[:, 0] == MISSING)
    known = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    trees = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    pipeline = Pipeline(
        [
            (
                "columns",
                ColumnTransformer(
                    [
                        ("numbers", "passthrough", list(range(width))),
                        ("texts", OrdinalEncoder(**known), list(range(width, width + texts.shape[1]))),
                    ]
                ),
            ),
            ("trees", trees(max_iter=20, max_depth=depth, random_state=7)),
        ]
    )
    label = np.digitize(filled, np.quantile(filled, np.arange(1, len(classes)) / len(classes))) if classes else filled
    return pipeline.fit(table, label)


def _onnx(pipeline: Pipeline) -> bytes:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    inputs = [
        (bundles.NUMBERS, FloatTensorType([None, len(NUMERIC)])),
        (bundles.TEXTS, StringTensorType([None, len(CATEGORICAL)])),
    ]
    options = {id(pipeline): {"zipmap": False}} if hasattr(pipeline, "predict_proba") else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # skl2onnx's own deprecations
        return bytes(convert_sklearn(pipeline, "model", inputs, options=options).SerializeToString(deterministic=True))
