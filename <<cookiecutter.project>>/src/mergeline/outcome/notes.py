"""What else a reader of a report has to know: rows that do not count, labels that are not there, figures that are none."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from . import labels as joined
from .figures import Figure, Side
from .sample import Sample

NO_LATENCY = "A shadow answers nobody, so its latency is not compared."


def unmeasured(made: Sequence[Figure]) -> list[str]:
    """Say why a figure is none, or says little."""
    return [f"{figure.name}: {figure.reason}." for figure in made if figure.reason]


def left_out(chosen: Sample, others: int) -> list[str]:
    """Say which rows of the log do not count; `others` are those of other releases and arms."""
    counts = {"of other releases and arms": others, **chosen.left_out}
    told = [f"{count:,} {reason}" for reason, count in counts.items() if count]
    found = [f"Rows left out: {'; '.join(told)}."] if told else []
    if chosen.crossed:
        found.append(f"{chosen.crossed:,} keys were answered by both arms and count as the experiment's.")
    return found


def labels(chosen: Sample, sides: Sequence[Side], known: pl.DataFrame | None, *, paired: bool) -> list[str]:
    """Say which rows have no label, and which labels no row."""
    told = []
    if known is not None:
        lacking = sum(int((~np.isfinite(np.asarray(side.labels))).sum()) for side in sides[: 1 if paired else 2])
        foreign = joined.unknown(known, chosen.pinned, chosen.beside)
        told += [f"{lacking:,} rows have none"] if lacking else []
        told += [f"{foreign:,} are of no row that counts"] if foreign else []
    return [f"Labels: {'; '.join(told)}."] if told else []
