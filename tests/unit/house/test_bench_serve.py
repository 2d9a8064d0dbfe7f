"""`make bench-serve`: its table on made figures, its exit code, what it reads and refuses, and the app it compares with."""

import asyncio
import io
import json
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from rich.console import Console
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from tools import bench_serve
from tools.bench_serve import Figure
from tools.serving import load
from tools.serving.app import MISSING, Model, application
from tools.serving.contenders import Stopped, same

FAST = Figure("single rows", "mlflow", "req/s", 13_000, 100, 50, 120, more_is_better=True)
ENOUGH = Figure("start", "mlflow", "s", 1, 7, 6, 15)
SLOW = Figure("start", "mlflow", "s", 1, 5, 6, 15)


def printed(monkeypatch: pytest.MonkeyPatch, *figures: Figure) -> tuple[str, int]:
    said = io.StringIO()
    monkeypatch.setattr(bench_serve, "console", Console(file=said, width=140))
    code = bench_serve.report(figures)
    return said.getvalue(), code


def test_ratios_stand_beside_musts_and_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    said, code = printed(monkeypatch, FAST, ENOUGH)

    (row,) = [line for line in said.splitlines() if "single rows" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["single rows", "13,000 req/s", "mlflow", "100 req/s", "130.0x", "50x", "120x", "goal met"]
    assert "must met" in said
    assert code == 0


def test_a_missed_must_exits_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    said, code = printed(monkeypatch, FAST, SLOW)

    assert "must missed" in said
    assert code == 1


def test_reads_what_wrk_measured_in_milliseconds() -> None:
    made = {"requests": 300, "microseconds": 2_000_000, "p50": 1500.0, "p99": 9000.0, "failed": 0}

    assert load.parsed(f"Running 2s test\n{json.dumps(made)}\n", "ours") == load.Loop(150, 1.5, 9)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "measured nothing"),
        ("unable to connect", "measured nothing"),
        ('{"requests": 9, "microseconds": 9, "p50": 1, "p99": 1, "failed": 2}', "failed 2 of 9"),
    ],
)
def test_refuses_a_load_that_failed(said: str, reason: str) -> None:
    with pytest.raises(Stopped, match=f"(?s)mlflow.*{reason}|{reason}.*mlflow"):
        load.parsed(said, "mlflow")


def test_refuses_a_server_that_answers_other_scores() -> None:
    same([[0.25, 0.75]], [[0.250001, 0.749999]], "mlflow")

    for other in ([[0.3, 0.7]], [[float("nan"), 0.75]], [[0.25]], []):
        with pytest.raises(Stopped, match="fastapi"):
            same([[0.25, 0.75]], other, "fastapi")


def test_the_app_answers_as_the_pipeline_with_missing_values_too() -> None:
    rng = np.random.default_rng(7)
    frame = pl.DataFrame({"double": rng.normal(size=60).astype(np.float32), "town": ["Rome", "Oslo", MISSING] * 20})
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("numbers", "passthrough", ["double"]), ("texts", encoder, ["town"])])
    pipeline = Pipeline([("columns", columns), ("line", LogisticRegression())]).fit(frame, rng.integers(0, 2, 60))
    kinds = {"size": "number", "town": "text"}
    model = Model(pipeline, ["0", "1"], kinds, lambda raw: {**raw, "double": 2 * raw["size"]}, ["double"], ["town"])
    rows = [{"size": 0.5, "town": "Rome"}, {"size": -1, "town": None}, {"size": 2}]

    async def asked(*bodies: Any) -> list[Any]:
        transport = httpx.ASGITransport(application(model))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return [(await client.post("/predict", json=body)).json()["scores"] for body in bodies]

    many, one = asyncio.run(asked(rows, rows[0]))

    made = pl.DataFrame({"double": np.array([1, -2, 4], dtype=np.float32), "town": ["Rome", MISSING, MISSING]})
    np.testing.assert_allclose(many, pipeline.predict_proba(made))
    assert one == many[:1]
