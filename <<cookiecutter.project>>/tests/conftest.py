"""What the tests work on: a few made flights, and what `make train` left in this folder."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mergeline import bundle
from mergeline.columns import Raw
from mergeline.stages.schema import Schema, schema

ROOT = Path(__file__).parents[1]


@pytest.fixture
def known() -> Schema:
    """Give src/model/schema.py as the loop reads it."""
    return schema()


@pytest.fixture
def flights() -> Raw:
    """Give 200 made flights as `features` gets them; the later they leave, the later they arrive."""
    rng = np.random.default_rng(7)
    minute = rng.integers(300, 1400, 200).astype(float)
    made: Raw = {
        "date": np.full(200, "2013-06-03", dtype=object),
        "month": np.full(200, 6.0),
        "weekday": rng.integers(1, 8, 200).astype(float),
        "departure_minute": minute,
        "arrival_minute": (minute + 90) % 1440,
        "distance": rng.integers(200, 2500, 200).astype(float),
        "plane_year": np.where(rng.random(200) < 0.1, np.nan, 2004.0),
        "seats": np.where(rng.random(200) < 0.1, np.nan, 150.0),
    }
    for name, values in {"carrier": ["UA", "B6"], "origin": ["EWR", "JFK"], "dest": ["ORD", "(missing)"]}.items():
        made[name] = rng.choice(np.array(values, dtype=object), 200)
    for name in ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"):
        made[name] = rng.uniform(0, 100, 200)
    return made


@pytest.fixture
def trained() -> bundle.Bundle:
    """Give the bundle of this folder."""
    if not (ROOT / "bundle").is_dir():
        pytest.skip("there is no bundle/ yet: run `make train`")
    return bundle.load(ROOT / "bundle")


@pytest.fixture
def raw_rows() -> pl.DataFrame:
    """Give the raw rows of this folder."""
    return _rows("raw")


@pytest.fixture
def held_out() -> pl.DataFrame:
    """Give the held-out rows of this folder."""
    return _rows("held_out")


@pytest.fixture
def train() -> pl.DataFrame:
    """Give the training rows of this folder."""
    return _rows("train")


def _rows(name: str) -> pl.DataFrame:
    path = ROOT / f"data/{name}.parquet"
    if not path.is_file():
        pytest.skip(f"there is no data/{name}.parquet yet: run `make train`")
    return pl.read_parquet(path)
