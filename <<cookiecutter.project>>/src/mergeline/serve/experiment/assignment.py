"""Which rows the experiment's release answers: those whose key falls below its share of a line from 0 to 1."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPAN = 2.0**64


def place(experiment: str, key: str) -> float:
    """Give where a key lies, 0 <= place < 1: the same in every process, and anew for every experiment.

    Args:
        experiment: the id of the experiment's release.
        key: what must keep its arm, such as a customer.
    """
    # Eight bytes of a hash are a uniform number; those above 2^64 - 2^10 would round up to 1.
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=experiment.encode()[:64]).digest()
    return min(int.from_bytes(digest) / SPAN, 1 - 2.0**-53)


def rows(experiment: str, share: float, keys: Sequence[str]) -> NDArray[np.bool_]:
    """Say which rows the experiment's release answers, shape (n,); a larger share keeps all that a smaller one had.

    Args:
        experiment: the id of the experiment's release.
        share: of the keys, 0 to 1.
        keys: one a row.
    """
    if len(keys) == 1:
        return np.array([place(experiment, keys[0]) < share])
    placed = {key: place(experiment, key) < share for key in set(keys)}
    return np.fromiter((placed[key] for key in keys), dtype=np.bool_, count=len(keys))


def keys(values: Sequence[Any] | NDArray[Any] | None, count: int, request: str, header: str) -> list[str]:
    """Give one key a row: what the request's header says, else the key column's value, else the request's id.

    Without a key all rows of a request have one arm: a request that is sent again under its id is answered alike.

    Args:
        values: of the key column, shape (n,); None where the experiment names none.
        count: n.
        request: the request's id.
        header: its header `x-experiment-key`, empty where it has none.
    """
    if header:
        return [header] * count
    if values is None:
        return [request] * count
    # A missing value says nothing of who asks; NaN and NaT are missing values, and differ from themselves.
    return [request if value is None or value != value or value == "" else str(value) for value in values]
