"""The example's own rows, trained and exported by its own pipeline, over HTTP."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mergeline import bundle as bundles
from mergeline import frames
from tests.projects import small_project
from tests.unit.serve.servers import Running

STAGES = ("ingest", "validate", "split", "train", "evaluate", "export")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated project whose pipeline has run."""
    root = small_project(tmp_path_factory.mktemp("example"))
    env = {**os.environ, "PYTHONPATH": str(root / "src")}
    for stage in STAGES:
        done = subprocess.run(
            [sys.executable, "-m", "mergeline.cli", stage],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return root


@pytest.mark.slow
def test_every_held_out_row_gets_over_http_what_training_says(project: Path, serve: Callable[..., Running]) -> None:
    bundle = bundles.load(project / "bundle")
    held_out = pl.read_parquet(project / "data/held_out.parquet")
    names = [column.name for column in bundle.signature.columns]
    rows = held_out.select(names).to_dicts()
    evaluated = pl.read_parquet(project / "results/predictions.parquet")["score"].to_list()
    by_bundle = bundle.score(frames.raw(held_out, {c.name: c.kind for c in bundle.signature.columns})).tolist()

    server = serve(project / "bundle")
    answered = [
        p["score"] for at in range(0, len(rows), 500) for p in server.predict(rows[at : at + 500])["predictions"]
    ]
    alone = [server.predict(row)["predictions"][0]["score"] for row in rows[:200]]

    assert answered == by_bundle
    assert alone == answered[:200]
    assert answered == pytest.approx(evaluated, abs=1e-5)
