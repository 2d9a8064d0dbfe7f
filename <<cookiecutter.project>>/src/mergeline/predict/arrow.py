"""Raw columns of Arrow columns, whole columns at a time, with the values that a request with the same rows gives."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import columns
from ..columns import LARGEST_INTEGER, MISSING, Kind
from ..errors import BadData


def column(kind: Kind, values: pa.Array, name: str, file: str, first: int, *, words: bool = False) -> NDArray[Any]:
    """Make one raw column of `kind`, shape (n,).

    Args:
        values: shape (n,).
        file: where the rows are from, and `first` the number of the first of them there, for messages.
        words: numbers are written as text, as CSV has them.

    Raises:
        BadData: a value, or the type of all of them, does not fit the kind.
    """
    if pa.types.is_dictionary(values.type) and (kind != "text" or len(values.dictionary) > len(values)):
        values = values.dictionary_decode()
    place = f"{file}, column {name}"
    if kind == "text":
        return _text(values, place)
    if kind == "time":
        return _time(values, name, file, first)
    return _number(_parsed(values, place, first) if words else values, place, first)


def _number(values: pa.Array, place: str, first: int) -> NDArray[np.float64]:
    kind = values.type
    if pa.types.is_integer(kind):
        lowest, highest = pc.min_max(values).values()
        if lowest.is_valid and (lowest.as_py() < -LARGEST_INTEGER or highest.as_py() > LARGEST_INTEGER):
            i, value = next((i, v) for i, v in enumerate(values.to_pylist()) if v and abs(v) > LARGEST_INTEGER)
            raise BadData(f"{place}, row {first + i}: {value} is beyond 2^53", "Declare the column as text.")
    elif pa.types.is_boolean(kind):
        values = values.cast(pa.uint8())
    elif pa.types.is_decimal(kind):
        values = values.cast(pa.string())  # a decimal cast to float64 directly is not the nearest one
    elif not (pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise BadData(f"{place}: {kind} is no number", "Store numbers or nulls.")
    return np.asarray(values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False))


def _parsed(values: pa.Array, place: str, first: int) -> pa.Array:
    try:
        return values.cast(pa.float64())
    except pa.ArrowInvalid:  # true and false, or a spelling that Python alone reads
        made: list[float | None] = []
        for i, value in enumerate(values.to_pylist()):
            try:
                word = {"true": 1.0, "false": 0.0}.get(value.lower()) if value is not None else None
                made.append(word if word is not None or value is None else float(value))
            except ValueError:
                raise BadData(f"{place}, row {first + i}: {value!r:.40} is no number") from None
        return pa.array(made, pa.float64())


def _text(values: pa.Array, place: str) -> NDArray[np.object_]:
    coded = pa.types.is_dictionary(values.type)
    kind = values.type.value_type if coded else values.type
    if not (is_text(kind) or pa.types.is_null(kind)):
        raise BadData(f"{place}: {kind} is no text", "Store strings or nulls.")
    if not coded:
        values = values.cast(pa.large_string()).dictionary_encode()
    words = values.dictionary.to_pylist()
    known = np.empty(len(words) + 1, dtype=object)
    known[:] = [*(MISSING if word is None else word for word in words), MISSING]
    places: NDArray[np.int32] = values.indices.cast(pa.int32()).fill_null(len(words)).to_numpy(zero_copy_only=False)
    return known[places]


def _time(values: pa.Array, name: str, file: str, first: int) -> NDArray[np.datetime64]:
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind):
        try:
            # Arrow keeps a time with a zone in UTC already; what is finer than a microsecond is cut, as datetime does.
            stored = values.cast(pa.timestamp("us"), safe=not (pa.types.is_timestamp(kind) and kind.unit == "ns"))
        except pa.ArrowInvalid as error:
            raise BadData(f"{file}, column {name}: {error!s:.100}") from None
        return np.asarray(stored.to_numpy(zero_copy_only=False)).astype("datetime64[us]")
    if not is_text(kind):
        raise BadData(f"{file}, column {name}: {kind} is no time", "Store timestamps, ISO 8601 text or nulls.")
    coded = values.cast(pa.large_string()).dictionary_encode()
    words = coded.dictionary.to_pylist()
    try:
        known = columns.time([*words, None], name)
    except BadData:
        for i, value in enumerate(values.to_pylist()):
            try:
                columns.time([value], name)
            except BadData:
                raise BadData(
                    f"{file}, column {name}, row {first + i}: {value!r:.60} is no time", "Store ISO 8601 text or null."
                ) from None
        raise
    places: NDArray[np.int32] = coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return known[places]


def is_text(kind: pa.DataType) -> bool:
    """Say whether it is one of Arrow's kinds of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
