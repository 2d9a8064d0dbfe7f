"""Tiny bundles that answer sigmoid(weights · columns), and the rows that they are judged on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper

from mergeline import bundle
from mergeline.bundle import Bundle, Column, Signature, Smoke
from mergeline.compare.judge import Names
from mergeline.compare.report import Difference, GateRow, Judged, MetricRow, Report, Side, Slices
from mergeline.statistics import Estimate

from . import repository
from .repository import Repository

FEATURES = "NUMERIC = {columns!r}\nCATEGORICAL = ()\n\n\ndef features(raw):\n    return {{name: raw[name] for name in NUMERIC}}\n"

MakeBundle = Callable[..., Bundle]


def write_bundle(
    folder: Path,
    weights: dict[str, float],
    *,
    task: str = "classification",
    label: str = "late",
    classes: Sequence[str] = ("false", "true"),
    features: str | None = None,
) -> Path:
    folder.mkdir(parents=True)
    (folder / bundle.MODEL).write_bytes(graph(list(weights.values()), task, len(classes)))
    (folder / bundle.FEATURES).write_text(features or FEATURES.format(columns=tuple(weights)))
    signature = Signature(
        name="tiny",
        task=task,  # type: ignore[arg-type]
        label=label,
        columns=[Column(name, "number") for name in weights],
        numeric=list(weights),
        categorical=[],
        classes=list(classes) if task == "classification" else [],
    )
    (folder / bundle.SIGNATURE).write_bytes(msgspec.json.encode(signature))
    (folder / bundle.SMOKE).write_bytes(msgspec.json.encode(Smoke([], [])))
    bundle.seal(folder)
    return folder


def graph(weights: list[float], task: str, classes: int) -> bytes:
    columns = len(weights)
    if task == "regression":
        tensors = {"w": np.array(weights, dtype=np.float32).reshape(-1, 1)}
        nodes = [helper.make_node("MatMul", ["numbers", "w"], ["variable"])]
        output = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])
    else:
        spread = np.zeros((columns, classes), dtype=np.float32)
        spread[:, -1] = weights
        tensors = {"w": spread}
        nodes = [
            helper.make_node("MatMul", ["numbers", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["probabilities"], axis=1),
        ]
        output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, classes])
    numbers = helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, columns])
    made = helper.make_graph(
        nodes, "tiny", [numbers], [output], [onnx.numpy_helper.from_array(t, n) for n, t in tensors.items()]
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose main is trained; tests read it only."""
    return repository.trained(tmp_path_factory.mktemp("compare"))


@pytest.fixture
def project(trained: Repository, tmp_path: Path) -> Repository:
    """A copy of it to work in."""
    return repository.copy(trained, tmp_path)


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    count = iter(range(100))

    def make(weights: dict[str, float], **options: Any) -> Bundle:
        return bundle.load(write_bundle(tmp_path / f"bundle{next(count)}", weights, **options))

    return make


@pytest.fixture
def names() -> Names:
    return Names(label="late", row_id="id", time="day", slices=("carrier",))


@pytest.fixture
def rows() -> pl.DataFrame:
    return make_rows()


def make_rows(days: int = 30, each: int = 60, seed: int = 7) -> pl.DataFrame:
    """Flights that are late together on bad days; `wind` says a lot, `hour` a little."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), each)
    hour, wind = rng.normal(0, 1, len(day)), rng.normal(0, 1, len(day))
    late = 0.5 * hour + 1.5 * wind + rng.normal(0, 0.5, days)[day] + rng.logistic(0, 1, len(day)) > 0.8
    return pl.DataFrame(
        {
            "id": [f"r{i}" for i in range(len(day))],
            "day": [f"2013-06-{d + 1:02d}" for d in day],
            "carrier": [("AA", "UA", "DL")[i % 3] for i in range(len(day))],
            "hour": hour,
            "wind": wind,
            "late": late,
        }
    )


def metric_row(name: str = "roc_auc", value: float = 0.032, error: float = 0.01, **changes: Any) -> MetricRow:
    estimate = Estimate(value, error, 30)
    row = MetricRow(
        name=name,
        better="higher",
        base=0.712,
        candidate=0.712 + value,
        difference=Difference(value=value, standard_error=error, groups=30, interval=estimate.interval()),
        matters=0.005,
        word="better",
    )
    return msgspec.structs.replace(row, **changes)


def make_report(**changes: Any) -> Report:
    report = Report(
        name="flight-delays",
        task="classification",
        primary="roc_auc",
        level=0.95,
        word="better",
        candidate=Side(commit="c" * 40, bundle="1" * 64),
        base=Side(commit="b" * 40, bundle="2" * 64),
        judged=Judged(
            held_out=27075, rows=27075, groups=30, group="day", period=("2013-06-01", "2013-06-30"), hash="a" * 64
        ),
        metrics=[metric_row()],
        slices=Slices(metric="roc_auc", tested=15),
        gates=[GateRow(gate="roc_auc.not_worse", state="passed", text="harm is not shown (better)")],
    )
    return msgspec.structs.replace(report, **changes)
