"""Raw columns in three kinds, made the same way from a table in training and from a request in the server.

*number* is float64 with NaN, *text* is object of str with `MISSING`, *time* is datetime64[us] in UTC with NaT.
A dtype that depends on the batch (a column without a null is an integer, with one a float) would make
training and serving differ; here the kind decides, never the values.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import NoneType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import BadData

Kind: TypeAlias = Literal["number", "text", "time"]
Masking: TypeAlias = Literal["hash", "drop"]
"""What the prediction log does to the values of a column."""
Raw: TypeAlias = dict[str, NDArray[Any]]

MISSING = "(missing)"
WORDS = "<NA> N/A NA NULL NaN None n/a nan null -NaN -nan #N/A #NA -1.#IND -1.#QNAN 1.#IND 1.#QNAN"
CSV_MISSING = frozenset({"", "#N/A N/A", *WORDS.split()})
"""What stands for no value in CSV, as pandas reads it, and so MLflow."""

LARGEST_INTEGER = 2**53
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number(values: Sequence[Any], name: str) -> NDArray[np.float64]:
    """Give shape (n,) float64; None becomes NaN, booleans 0 and 1.

    Raises:
        BadData: a value is no number, or an integer beyond 2^53 that float64 cannot hold.
    """
    if _plain(values):
        return np.array(values, dtype=np.float64)
    out = np.empty(len(values), dtype=np.float64)
    for i, value in enumerate(values):
        if value is None:
            out[i] = np.nan
        elif isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
            if isinstance(value, int | np.integer) and abs(int(value)) > LARGEST_INTEGER:
                raise BadData(f"column {name}, row {i}: {value} is beyond 2^53", "Declare the column as text.")
            out[i] = float(value)
        else:
            raise BadData(f"column {name}, row {i}: {value!r:.60} is no number", "Send a number or null.")
    return out


def _plain(values: Sequence[Any]) -> bool:
    """Say whether numpy reads these values as numbers by itself: true of what JSON has, but for far integers."""
    kinds = set(map(type, values))
    if kinds <= {float, bool, NoneType}:
        return True
    return kinds <= {float, bool, NoneType, int} and all(
        -LARGEST_INTEGER <= value <= LARGEST_INTEGER for value in values if value
    )


def text(values: Iterable[Any], name: str) -> NDArray[np.object_]:
    """Give shape (n,) object of str; None becomes `MISSING`.

    Raises:
        BadData: a value is not text.
    """
    filled = [MISSING if value is None else value for value in values]
    for i, value in enumerate(filled):
        if not isinstance(value, str):
            raise BadData(f"column {name}, row {i}: {value!r:.60} is no text", "Send a string or null.")
    out = np.empty(len(filled), dtype=object)
    out[:] = filled
    return out


def time(values: Iterable[Any], name: str) -> NDArray[np.datetime64]:
    """Give shape (n,) datetime64[us] in UTC from ISO 8601 text or datetimes; None becomes NaT, no zone means UTC.

    Raises:
        BadData: a value is no time.
    """
    micros: list[int | None] = []
    for i, value in enumerate(values):
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            if moment is not None and not isinstance(moment, datetime):
                raise ValueError
        except ValueError:
            raise BadData(f"column {name}, row {i}: {value!r:.60} is no time", "Send ISO 8601 text or null.") from None
        if moment is None:
            micros.append(None)
            continue
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        delta = aware - EPOCH
        micros.append((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds)
    nat = np.iinfo(np.int64).min
    return np.array([nat if m is None else m for m in micros], dtype=np.int64).view("datetime64[us]")


_MAKERS = {"number": number, "text": text, "time": time}


def column(kind: Kind, values: Sequence[Any], name: str) -> NDArray[Any]:
    """Make one raw column of `kind`, shape (n,), from Python values. Raises BadData."""
    return _MAKERS[kind](values, name)


def rows(raw: Raw) -> int:
    """Count the rows of raw columns."""
    return len(next(iter(raw.values()))) if raw else 0


def joined(parts: Sequence[Raw]) -> Raw:
    """Put rows with the same columns one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Table:
    """Which raw columns there are: name to kind in order, and the names of those that can be made together."""

    kinds: dict[str, Kind]

    @cached_property
    def numbers(self) -> list[str]:
        """Give the columns of numbers."""
        return [name for name, kind in self.kinds.items() if kind == "number"]

    @cached_property
    def texts(self) -> list[str]:
        """Give the columns of text."""
        return [name for name, kind in self.kinds.items() if kind == "text"]

    def raw(self, values: Callable[[Sequence[str]], Sequence[Any]], rows: int) -> Raw:
        """Make the raw columns.

        The numbers lie in one array, and the texts in another: of one row, an array for each would cost more than its
        score.

        Args:
            values: gives the Python values of some columns by name, one column after the other, `rows` of each.
            rows: in each column.

        Raises:
            BadData: a value does not fit its column's kind.
        """
        made: Raw = {}
        if _plain(numbers := values(self.numbers)):
            block = np.array(numbers, dtype=np.float64).reshape(len(self.numbers), rows)
            made.update(zip(self.numbers, block, strict=True))
        texts = [MISSING if value is None else value for value in values(self.texts)]
        if set(map(type, texts)) <= {str}:
            block = np.array(texts, dtype=object).reshape(len(self.texts), rows)
            made.update(zip(self.texts, block, strict=True))
        return {
            name: made[name] if name in made else column(kind, values([name]), name)
            for name, kind in self.kinds.items()
        }
