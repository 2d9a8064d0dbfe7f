"""A generated project with few rows, so that its pipeline takes seconds."""

import re
from pathlib import Path

import polars as pl

from model import source
from tools.bake import bake

DAYS = ("2013-03-01", "2013-06-30")
PER_DAY = 30


def small_project(into: Path, **answers: str) -> Path:
    """Generate below `into` a project whose rows are a sample of the flights, kept in git as one Parquet file.

    Args:
        into: an existing folder.
        answers: to the questions of cookiecutter.json.
    """
    root = bake(into, answers)
    rows(root / "data" / "files" / "flights.parquet")
    params = (root / "params.yaml").read_text()
    params = params.replace("source: example", "source: files").replace("iterations: 100", "iterations: 30")
    (root / "params.yaml").write_text(params)
    gates = (root / "gates.yaml").read_text()
    (root / "gates.yaml").write_text(re.sub(r", at_least: [\d.]+", ", at_least: 0.5", gates))
    return root


def rows(to: Path) -> None:
    """Write some flights of every day from March to June."""
    to.parent.mkdir(parents=True, exist_ok=True)
    flights = source.flights().filter(pl.col("date").is_between(pl.lit(DAYS[0]), pl.lit(DAYS[1])))
    flights.filter(pl.int_range(pl.len()).shuffle(seed=7).over("date") < PER_DAY).write_parquet(to)
