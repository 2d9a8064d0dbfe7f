"""Slices that mean nothing, of rows whose groups are swapped between two models: how often is one shown?"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from mergeline import metrics
from mergeline.columns import Kind
from mergeline.compare import discovered, slices
from mergeline.compare.judge import Names, Scored
from mergeline.compare.report import Judged
from tools.made import made, swap

SLICES = 30
GROUPS, EACH = 60, 200
NAMES = Names(label="label", row_id="id", time=None, slices=("part",))
KINDS: Mapping[str, Kind] = {"part": "text", "hour": "number", "wind": "number"}


def pull_request(rng: np.random.Generator) -> Scored:
    """Make one that changes nothing, as `judge.score` gives it."""
    rows = made(GROUPS, rng, each=EACH)
    base, candidate = swap(rows.base, rows.candidate, rows.groups, rng)
    count = len(rows.labels)
    columns = {
        "part": rng.integers(0, SLICES, count).astype(str),
        "hour": rng.integers(0, 24, count),
        "wind": rng.normal(size=count),
    }
    return Scored(
        rows=pl.DataFrame(columns),
        labels=rows.labels,
        groups=rows.groups,
        candidate=candidate,
        base=base,
        thresholds=(0.5, 0.5),
        reason=None,
        judged=Judged(held_out=count, rows=count, groups=GROUPS, group="day", hash=""),
        seed=int(rng.integers(2**31)),
    )


def shown(scored: Scored, matters: float) -> tuple[bool, bool]:
    """Say whether a named slice and one that was searched for are shown."""
    auc = metrics.ALL["roc_auc"]
    named = slices.run(scored, NAMES.slices, auc, matters, 0.95).moved
    found, _ = discovered.run(scored, KINDS, NAMES, auc, matters, 0.95)
    return bool(named), bool(found)
