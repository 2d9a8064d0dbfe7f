"""How much memory training takes: as much as docs/decisions.md says, measured stage by stage on all flights of a year."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tools.bake import bake

from .conftest import ORDER


@pytest.mark.slow
def test_all_flights_of_a_year_fit_in_the_memory_that_the_docs_state(tmp_path: Path) -> None:
    root = bake(tmp_path, {"task": "regression"})
    params = root / "params.yaml"
    params.write_text(params.read_text().replace('as_of: "2013-07-01"', "as_of: null"))
    page = " ".join((root / "docs/decisions.md").read_text().split())
    [(rows, columns, ceiling)] = re.findall(r"([\d,]+) rows of (\d+) columns need at most ([\d,]+) MB", page)

    peaks = {stage: peak_mb(root, stage) for stage in ORDER}

    raw = pl.scan_parquet(root / "data/raw.parquet").select(pl.len()).collect().item()
    assert f"{raw:,}" == rows
    assert str(len(pl.read_parquet_schema(root / "data/train.parquet"))) == columns
    assert max(peaks.values()) < int(ceiling.replace(",", "")), peaks
    told = json.loads((root / "results/cost.json").read_text())["peak_memory_mb"]
    assert told == pytest.approx(peaks["train"], rel=0.2), "what a training says of itself"


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(code)
"""
"""A small process starts the stage: Linux counts the memory of the one that starts it as the stage's own."""


def peak_mb(root: Path, stage: str) -> int:
    """Run a stage in a process of its own, and give the most memory that it held."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, "-m", "mergeline.cli", stage],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, stage
    return int(run.stdout)
