"""Rows of your own: other columns, no time, numbers alone or text alone or a time as a raw column."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mergeline import bundle

from .conftest import Project

pytestmark = pytest.mark.slow

SCHEMA = """
from datetime import datetime

import pandera.polars as pa

LABEL = "ill"
ROW_ID = "patient"
TIME = None
SLICES = ()
SENSITIVE = ("town", "seen", "ill")
UNLOGGED = ("seen", "patient")


class Row(pa.DataFrameModel):
    patient: int = pa.Field()
    weight: float = pa.Field(nullable=True)
    town: str = pa.Field(nullable=True)
    seen: datetime = pa.Field(nullable=True)
    ill: int = pa.Field(isin=[0, 1])
"""

FEATURES = """
import numpy as np

NUMERIC = (%s)
CATEGORICAL = (%s)


def features(raw):
    hour = (raw["seen"] - raw["seen"].astype("datetime64[D]")).astype("timedelta64[h]").astype(float)
    return {"weight": raw["weight"], "hour": np.where(np.isnat(raw["seen"]), np.nan, hour), "town": raw["town"]}
"""


def patients(rows: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    weight = rng.normal(70, 10, rows).round(2)
    return pl.DataFrame(
        {
            "patient": range(rows),
            "weight": pl.Series(weight).set(pl.Series(rng.random(rows) < 0.05), None),
            "town": rng.choice(np.array(["Bonn", "Kiel", None], dtype=object), rows),
            "seen": [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=int(h)) for h in rng.integers(0, 5000, rows)],
            "ill": (weight + rng.normal(0, 5, rows) > 70).astype(int),
        }
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("numeric", "categorical"),
    [('"weight",', ""), ("", '"town",'), ('"weight", "hour"', '"town",')],
    ids=["numbers", "text", "both"],
)
def test_rows_without_time_are_trained_judged_and_served(
    project: Project, numeric: str, categorical: str, form: str
) -> None:
    (project.root / "src/model/schema.py").write_text(SCHEMA)
    (project.root / "src/model/features.py").write_text(FEATURES % (numeric, categorical))
    (project.root / "data/files/rows.parquet").unlink()
    path = project.root / f"data/patients.{form}"
    patients().write_csv(path) if form == "csv" else patients().write_parquet(path)
    project.set(data={"path": f"data/patients.{form}", "as_of": None}, split={"by": "random"}, compare={"group": None})

    project.until("explain")

    metrics = json.loads((project.root / "results/metrics.json").read_text())
    assert metrics["group"] is None
    assert metrics["period"] is None
    assert metrics["groups"] == metrics["rows"]
    assert 0.3 < metrics["metrics"]["roc_auc"]["value"] < 1
    served = bundle.load(project.root / "bundle")
    assert [c.kind for c in served.signature.columns] == ["number", "text", "time"]
    assert served.signature.classes == ["0", "1"]
    assert served.signature.masking == {"town": "hash", "seen": "drop"}
    one = {"weight": 95, "town": "Bonn", "seen": "2020-03-01T10:00:00+01:00"}
    assert served.scores(bundle.raw_from_rows(served.signature, [one])).shape == (1, 2)
