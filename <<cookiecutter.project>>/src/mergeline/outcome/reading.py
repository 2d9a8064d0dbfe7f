"""The prediction log as a table: what the two releases of an experiment answered, a row a prediction."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from .. import events
from ..errors import BadData
from ..experiments import Course
from ..statistics import Floats, Ints

SCHEMA = {
    "time": pl.Float64,
    "request": pl.String,
    "row": pl.Int64,
    "beside": pl.Boolean,
    "seconds": pl.Float64,
    "key": pl.String,
}
NAMED = 4


@dataclass(frozen=True, slots=True)
class Answers:
    """n predicted rows.

    `table` has `request` and `row`, `time` in seconds since 1970, whether the experiment's release said it (`beside`),
    the request's `seconds` in the server, and the hashed `key` that decided the arm, null where none did; `at` is the
    place in `scores`, shape (m, classes), or (m, 1) for regression, with NaN where there was no finite answer.
    """

    table: pl.DataFrame
    scores: Floats

    def of(self, table: pl.DataFrame) -> Floats:
        """Give the scores of some rows, shape (k, classes)."""
        return np.asarray(self.scores[table["at"].to_numpy()])


def read(path: Path, course: Course, width: int) -> tuple[Answers, int]:
    """Read what the two releases answered, and how many rows others did.

    Args:
        path: of the log, a file or a folder.
        course: names the two releases and the arm of the experiment's.
        width: how many scores a row has.

    Raises:
        BadData: the log cannot be read, or lacks one of the two releases.
    """
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA}
    scores: list[list[float | None]] = []
    others: Counter[tuple[str | None, str]] = Counter()
    arms: dict[tuple[str | None, str], bool] = {(course.pinned, "pinned"): False, (course.release, course.kind): True}
    for event in events.read(path):
        beside = arms.get((event.release, event.arm))
        if beside is None:
            others[event.release, event.arm] += len(event.rows)
            continue
        moment = event.time.timestamp()
        for row in event.rows:
            columns["time"].append(moment)
            columns["request"].append(event.request)
            columns["row"].append(row.row)
            columns["beside"].append(beside)
            columns["seconds"].append(event.seconds)
            columns["key"].append(row.key)
            scores.append(row.scores)
    table = pl.DataFrame(columns, schema=SCHEMA).with_row_index("at")
    _check(path, course, table, others)
    if any(len(one) != width for one in scores):
        raise BadData(f"{path}: a row has not {width} scores, as the releases' signatures say", "Is it their log?")
    # A null, which is no finite answer, becomes NaN.
    return Answers(table, np.array(scores, dtype=np.float64)), sum(others.values())


def codes(values: pl.Series) -> Ints:
    """Number equal texts, shape (n,), 0-based without gaps."""
    return (values.rank("dense").cast(pl.Int64) - 1).to_numpy()


def _check(path: Path, course: Course, table: pl.DataFrame, others: Counter[tuple[str | None, str]]) -> None:
    """Refuse a log that lacks one of the two releases. Raises BadData that says what it has instead."""
    there = set(table["beside"].unique().to_list())
    lacking = [
        f"{arm} of {release[:12]}"
        for release, arm, beside in ((course.pinned, "pinned", False), (course.release, course.kind, True))
        if beside not in there
    ]
    if not lacking:
        return
    told = [
        f"{arm} of {(release or 'no release')[:12]} ({rows:,} rows)"
        for (release, arm), rows in others.most_common(NAMED)
    ]
    raise BadData(
        f"{path} holds no row of {' and none of '.join(lacking)}; beside that it has {', '.join(told) or 'nothing'}",
        f"Is it the log of {course.environment}? Its experiment is {course.kind} of {course.release[:12]}.",
    )
