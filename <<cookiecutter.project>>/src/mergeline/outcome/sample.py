"""Which rows of the log count: those that the experiment itself decided about, under its present share.

In `ab` and `canary` a row counts when a key assigned it: before the experiment, after a server dropped it, and for a request
that asked for the pinned release, none did, and such rows would make the pinned arm another population. Where the share
was stepped, only what was answered since counts: over all of it the larger arm of each time would stand for that time
(Simpson's paradox; Kohavi, Tang & Xu 2020, chapter 3). A key that both arms answered is the experiment's whose release
failed on a request, which the pinned one answered then: these answers count for neither.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from .reading import Answers


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that count: `pinned` and `beside` with a column `unit`, what belongs together; in pairs for a shadow.

    `left_out` says how many rows were left out, by reason, and `crossed` how many units both arms had answered.
    """

    pinned: pl.DataFrame
    beside: pl.DataFrame
    left_out: dict[str, int]
    crossed: int = 0


def assigned(answers: Answers, since: float) -> Sample:
    """Give the two arms of an `ab` or a `canary`, from `since` on, in seconds since 1970."""
    table, left_out = _usable(answers, since)
    keyed = table.filter(pl.col("key").is_not_null())
    left_out["that no key assigned to an arm"] = len(table) - len(keyed)
    keyed = keyed.with_columns(unit=pl.col("key"))
    pinned, beside = keyed.filter(~pl.col("beside")), keyed.filter(pl.col("beside"))
    alone = pinned.join(beside.select("unit").unique(), on="unit", how="anti", maintain_order="left")
    left_out["of keys that the experiment's release answered too"] = len(pinned) - len(alone)
    crossed = pinned["unit"].n_unique() - alone["unit"].n_unique()
    return Sample(alone, beside, left_out, crossed)


def pairs(answers: Answers, since: float, until: float | None) -> Sample:
    """Give the rows that both a shadow and the pinned release scored, in one order, from `since` to `until`."""
    table, left_out = _usable(answers, since)
    if until is not None:
        table = table.filter(pl.col("beside") | (pl.col("time") < until))
    table = table.with_columns(unit=pl.col("key").fill_null(pl.col("request")))
    pinned, beside = table.filter(~pl.col("beside")), table.filter(pl.col("beside"))
    on = ["request", "row"]
    left_out["that the shadow did not score"] = len(pinned.join(beside, on=on, how="anti"))
    left_out["of the shadow without the answer beside it"] = len(beside.join(pinned, on=on, how="anti"))
    both = pinned.join(beside.select(*on, theirs="at"), on=on, how="inner", maintain_order="left")
    return Sample(both.drop("theirs"), both.with_columns(at=pl.col("theirs")).drop("theirs"), left_out)


def requests(rows: pl.DataFrame, other: pl.DataFrame | None) -> pl.DataFrame:
    """Give one row a request that has a time, without those that `other` answered too: the time is of the whole."""
    found = rows.unique("request", keep="first", maintain_order=True).filter(pl.col("seconds").is_not_null())
    if other is None:
        return found
    return found.join(other.select("request").unique(), on="request", how="anti", maintain_order="left")


def _usable(answers: Answers, since: float) -> tuple[pl.DataFrame, dict[str, int]]:
    """Leave out what came before, what was sent again, and what has no finite score."""
    left_out: dict[str, int] = {}
    table = answers.table.filter(pl.col("time") >= since)
    left_out["from an earlier time"] = len(answers.table) - len(table)
    once = table.unique(["request", "row", "beside"], keep="first", maintain_order=True)
    left_out["of requests that were sent again under one id"] = len(table) - len(once)
    finite = once.filter(pl.Series(np.isfinite(answers.of(once)).all(axis=1)))
    left_out["without a finite score"] = len(once) - len(finite)
    return finite, left_out
