"""What both models cost: training as their own training recorded it, size and latency as they are here and now."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
import polars as pl

from .. import frames
from ..bundle import FILES, INDEX, Bundle
from ..columns import Raw
from ..errors import MergelineError
from .report import Cost

SECONDS = 0.25
"""For each number of rows, both models together."""
MOST_REPEATS = 200
SIZES = {"1 row": 1, "1,000 rows": 1000}


def run(base: Path | None, candidate: Path, models: tuple[Bundle | None, Bundle], held_out: pl.DataFrame) -> list[Cost]:
    """Give training seconds, peak memory, bytes and latency of both, each where it is known.

    Args:
        base: its project, None without a base that can be judged.
        candidate: the candidate's project.
        models: of both.
        held_out: rows to answer for the latency.
    """
    theirs, ours = _recorded(base), _recorded(candidate)
    equal = theirs.get("machine") == ours.get("machine")
    found = [
        Cost(
            name=name, unit=unit, base=_number(theirs, key), candidate=_number(ours, key), comparable=equal or not base
        )
        for name, unit, key in (("training", "s", "seconds"), ("peak memory", "MB", "peak_memory_mb"))
    ]
    found.append(Cost(name="bundle", unit="kB", base=_size(base), candidate=_size(candidate)))
    for name, rows in SIZES.items():
        times = latencies(models, held_out, rows)
        found.append(Cost(name=f"latency of {name}", unit="ms", base=times[0], candidate=times[1]))
    return [cost for cost in found if cost.base is not None or cost.candidate is not None]


def latencies(
    models: tuple[Bundle | None, Bundle], held_out: pl.DataFrame, rows: int
) -> tuple[float | None, float | None]:
    """Give the median milliseconds in which each model answers so many raw rows, one call of each in turn.

    A model that cannot read these rows has none. Where there are fewer rows, they are repeated.
    """
    asked = [(model, _raw(model, held_out, rows)) for model in models]
    known = [(model, raw) for model, raw in asked if model is not None and raw is not None]
    times: list[list[float]] = [[] for _ in known]
    for model, raw in known:
        model.scores(raw)  # the first call makes room that later ones use
    begun = perf_counter()
    for _ in range(MOST_REPEATS):
        for taken, (model, raw) in zip(times, known, strict=True):
            start = perf_counter()
            model.scores(raw)
            taken.append(perf_counter() - start)
        if perf_counter() - begun > SECONDS:
            break
    middle = iter([median(taken) * 1000 for taken in times])
    base, candidate = (next(middle) if model is not None and raw is not None else None for model, raw in asked)
    return base, candidate


def _raw(model: Bundle | None, held_out: pl.DataFrame, rows: int) -> Raw | None:
    if model is None or not len(held_out):
        return None
    try:
        found = frames.raw(held_out.head(rows), {column.name: column.kind for column in model.signature.columns})
        model.scores(found)
    except MergelineError:
        return None
    return {name: np.resize(values, rows) for name, values in found.items()}


def _recorded(root: Path | None) -> dict[str, Any]:
    """Give results/cost.json, empty where it is not there."""
    try:
        found = msgspec.json.decode((root / "results/cost.json").read_bytes()) if root else {}
    except (OSError, msgspec.MsgspecError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(found: Mapping[str, Any], key: str) -> float | None:
    return float(found[key]) if isinstance(found.get(key), int | float) else None


def _size(root: Path | None) -> float | None:
    if root is None:
        return None
    return sum((root / "bundle" / name).stat().st_size for name in (INDEX, *FILES)) / 1000
