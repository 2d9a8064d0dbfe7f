"""The example's own rows, trained and exported by its own pipeline, over HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import polars as pl
import pytest

from mergeline import bundle as bundles
from mergeline import frames
from tests.projects import small_project
from tests.unit.serve.servers import Running
from tools.bake import TEMPLATE

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


@pytest.mark.slow
def test_the_curl_lines_of_the_readme_work_as_printed(project: Path, serve: Callable[..., Running]) -> None:
    page = (TEMPLATE / "<<cookiecutter.project>>/README.md").read_text(encoding="utf-8")
    printed = re.findall(r"^curl (?:.*\\\n)*.*$", page, re.MULTILINE)
    server = serve(project / "bundle", release="r1")

    answers = []
    for line in printed:
        asked = line.replace("localhost:8000", f"127.0.0.1:{server.port}").replace("curl", "curl -sS --fail", 1)
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
        answers.append(msgspec.json.decode(done.stdout))

    prediction, schema, version = answers
    assert set(prediction["predictions"][0]) == {"label", "score"}
    assert schema["columns"]
    assert version["release"] == prediction["release"] == "r1"
