"""Bytes and latency of models, side by side."""

from collections.abc import Sequence
from statistics import median
from time import perf_counter

from ..bundle import Bundle
from ..columns import Raw

CALLS = 1000


def latencies(models: Sequence[Bundle], raw: Raw) -> list[float]:
    """Give the median microseconds in which each model answers these raw rows, features included.

    They are called in turn, so that whatever else the machine does falls on all of them alike.

    Args:
        models: of one signature.
        raw: its raw columns, each shape (n,).
    """
    for model in models:
        model.scores(raw)  # the first call makes room that later ones use
    times: list[list[float]] = [[] for _ in models]
    for _ in range(CALLS):
        for taken, model in zip(times, models, strict=True):
            begun = perf_counter()
            model.scores(raw)
            taken.append(perf_counter() - begun)
    return [median(taken) * 1e6 for taken in times]
