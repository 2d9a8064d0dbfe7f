"""What of a row may touch the disk: every raw column of the signature as it is, hashed, or not at all."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from ...bundle import Signature
from ...columns import MISSING, Kind, Masking, Raw

Value: TypeAlias = float | str | None

DIGEST_BYTES = 8


class Hasher:
    """Gives 16 hex digits for a text, which nobody can undo by trying texts without the key."""

    def __init__(self, key: str) -> None:
        # Without a key of one's own equal texts are equal within one process, and nowhere else.
        self._key = hashlib.sha256(key.encode()).digest() if key else secrets.token_bytes(32)

    def __call__(self, column: str, text: str) -> str:
        """Hash a value; equal values of two columns differ."""
        said = f"{column}\0{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, digest_size=DIGEST_BYTES, key=self._key).hexdigest()


class Mask:
    """How the columns of a signature are written."""

    def __init__(self, signature: Signature, masked: Mapping[str, Masking], hasher: Hasher) -> None:
        self._columns = [
            (c.name, c.kind, masked.get(c.name)) for c in signature.columns if masked.get(c.name) != "drop"
        ]
        self._hasher = hasher

    def rows(self, raw: Raw, places: Sequence[int]) -> list[dict[str, Value]]:
        """Give the features of the rows at these places, one dictionary a row; a missing value is None."""
        if len(places) == 1:
            return [self._one_row(raw, places[0])]
        names = [name for name, _, _ in self._columns]
        values = [self._values(raw, places, *column) for column in self._columns]
        if not values:
            return [{} for _ in places]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def _one_row(self, raw: Raw, place: int) -> dict[str, Value]:
        """Give one row: plain Python is several times faster than numpy on arrays of one value."""
        row: dict[str, Value] = {}
        for name, kind, how in self._columns:
            value = raw[name].item(place)
            if kind == "time":
                # What our calendar does not have, numpy can write.
                value = f"{value.isoformat(timespec='microseconds')}Z" if isinstance(value, datetime) else None
                value = value or _times(raw[name][place : place + 1])[0]
            elif value != value or value == MISSING:
                value = None
            row[name] = value if how is None or value is None else self._hasher(name, str(value))
        return row

    def _values(self, raw: Raw, places: Sequence[int], name: str, kind: Kind, how: Masking | None) -> list[Any]:
        column = raw[name]
        found = _PLAIN[kind](column if len(places) == len(column) else column[places])
        if how is None:
            return found
        return [None if value is None else self._hasher(name, str(value)) for value in found]


def stricter(*signatures: Signature) -> dict[str, Masking]:
    """Give what any of the signatures masks; a column that one hashes and one drops is dropped."""
    found: dict[str, Masking] = {}
    for signature in signatures:
        for name, how in signature.masking.items():
            if found.get(name) != "drop":
                found[name] = how
    return found


def _numbers(values: Any) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]


def _texts(values: Any) -> list[str | None]:
    return [None if value == MISSING else value for value in values.tolist()]


def _times(values: Any) -> list[str | None]:
    said = np.datetime_as_string(values, unit="us", timezone="UTC").tolist()
    return [None if one == "NaT" else one for one in said]


_PLAIN: Mapping[Kind, Callable[[Any], list[Any]]] = {"number": _numbers, "text": _texts, "time": _times}
