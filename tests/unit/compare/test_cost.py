import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
from numpy.typing import NDArray

from mergeline import bundle
from mergeline.bundle import Bundle
from mergeline.columns import Raw
from mergeline.compare import cost
from mergeline.compare.limits import COST
from mergeline.compare.report import Cost
from tests.unit.compare.conftest import write_bundle

HERE, THERE = "Linux x86_64, 4 cores", "Linux aarch64, 2 cores"


def side(root: Path, seconds: float, machine: str, column: str = "hour") -> tuple[Path, Bundle]:
    loaded = bundle.load(write_bundle(root / "bundle", {column: 0.5}))
    (root / "results").mkdir()
    recorded = {"seconds": seconds, "peak_memory_mb": 400, "machine": machine}
    (root / "results/cost.json").write_text(json.dumps(recorded))
    return root, loaded


def costs(base: tuple[Path, Bundle] | None, candidate: tuple[Path, Bundle], rows: pl.DataFrame) -> dict[str, Cost]:
    models = (base[1] if base else None, candidate[1])
    return {one.name: one for one in cost.run(base[0] if base else None, candidate[0], models, rows)}


def test_everything_is_known_of_two_models_of_one_machine(tmp_path: Path, rows: pl.DataFrame) -> None:
    found = costs(side(tmp_path / "a", 2.0, HERE), side(tmp_path / "b", 3.0, HERE), rows)

    assert tuple(found) == COST, "the names that a rule of gates.yaml may take"
    assert found["training"] == Cost(name="training", unit="s", base=2.0, candidate=3.0)
    assert found["peak memory"] == Cost(name="peak memory", unit="MB", base=400.0, candidate=400.0)
    size = sum(file.stat().st_size for file in (tmp_path / "b/bundle").iterdir())
    assert found["bundle"].candidate == size / 1000
    one, many = found["latency of 1 row"], found["latency of 1,000 rows"]
    assert one.base is not None
    assert one.candidate is not None
    assert 0 < one.candidate < (many.candidate or 0)


def test_training_on_another_machine_is_not_compared_but_latency_is(tmp_path: Path, rows: pl.DataFrame) -> None:
    found = costs(side(tmp_path / "a", 2.0, THERE), side(tmp_path / "b", 3.0, HERE), rows)

    assert {name: one.comparable for name, one in found.items()} == {
        "training": False,
        "peak memory": False,
        "bundle": True,
        "latency of 1 row": True,
        "latency of 1,000 rows": True,
    }


def test_a_first_model_has_costs_of_its_own(tmp_path: Path, rows: pl.DataFrame) -> None:
    found = costs(None, side(tmp_path / "b", 3.0, HERE), rows)

    assert {one.base for one in found.values()} == {None}
    assert all(one.comparable for one in found.values())
    assert all(one.candidate is not None for one in found.values())


def test_a_base_that_cannot_read_these_rows_has_no_latency(tmp_path: Path, rows: pl.DataFrame) -> None:
    found = costs(side(tmp_path / "a", 2.0, HERE, "dropped"), side(tmp_path / "b", 3.0, HERE), rows)

    assert found["latency of 1 row"].base is None
    assert found["latency of 1 row"].candidate is not None


def test_what_was_not_recorded_is_left_out(tmp_path: Path, rows: pl.DataFrame) -> None:
    base, candidate = side(tmp_path / "a", 2.0, HERE), side(tmp_path / "b", 3.0, HERE)
    for root, _ in (base, candidate):
        (root / "results/cost.json").unlink()

    assert list(costs(base, candidate, rows)) == ["bundle", "latency of 1 row", "latency of 1,000 rows"]


def test_few_rows_are_repeated(tmp_path: Path, rows: pl.DataFrame) -> None:
    model, asked = side(tmp_path / "a", 2.0, HERE)[1], []

    def spying(raw: Raw) -> Mapping[str, NDArray[Any]]:
        asked.append(len(raw["hour"]))
        return model.features(raw)

    spied = dataclasses.replace(model, features=spying)
    cost.latencies((None, spied), rows[:3], 1000)

    assert set(asked[1:]) == {1000}, "the first call only asks whether the model can read the rows"


def test_without_rows_there_is_no_latency(tmp_path: Path, rows: pl.DataFrame) -> None:
    model = side(tmp_path / "a", 2.0, HERE)[1]

    assert cost.latencies((model, model), rows[:0], 1000) == (None, None)


def test_the_slower_model_is_the_slower_one_within_half_a_second(tmp_path: Path, rows: pl.DataFrame) -> None:
    slow = "import numpy as np\n\nNUMERIC = ('hour',)\nCATEGORICAL = ()\n\n\ndef features(raw):\n    np.sort(np.arange(300_000)[::-1])\n    return {'hour': raw['hour']}\n"
    models = [
        bundle.load(write_bundle(tmp_path / name, {"hour": 0.5}, features=text))
        for name, text in (("a", slow), ("b", None))
    ]
    begun = perf_counter()

    base, candidate = cost.latencies((models[0], models[1]), rows, 1)

    assert (base or 0) > 2 * (candidate or 0)
    assert perf_counter() - begun < 2 * cost.SECONDS
