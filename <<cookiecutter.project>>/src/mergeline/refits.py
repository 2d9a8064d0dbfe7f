"""The same recipe trained anew, so that the noise of training can be seen: `results/refits/`, written by `model refit`.

Fit i takes another seed and draws the training groups anew. The draws depend on the group and i alone, so base and
candidate see the same draws, and what both gain from them cancels in their difference.
"""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from .errors import Integrity

FOLDER = "results/refits"
INDEX = "index.json"


class Fold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model trained on rows before `first`, to be judged on rows from that day to before `end`."""

    model: str
    first: str
    end: str


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which files are there: models trained anew on drawn groups, and models of earlier origins."""

    refits: list[str] = []
    folds: list[Fold] = []


def read(root: Path) -> Index:
    """Give what is there below a checkout; empty where nothing was trained anew. Raises Integrity."""
    path = root / FOLDER / INDEX
    if not path.is_file():
        return Index()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index)
    except msgspec.MsgspecError as error:
        raise Integrity(f"{FOLDER}/{INDEX}: {error}", "Run `dvc repro --force refit`.") from error


def models(root: Path) -> list[bytes]:
    """Give the models trained anew, in the order of their draws."""
    return [(root / FOLDER / name).read_bytes() for name in read(root).refits]


def times(units: NDArray[np.float64]) -> NDArray[np.int64]:
    """Say how often a group is drawn, shape (n,), from a number in [0, 1) for each: Poisson with mean 1 (Chamandy 2012).

    >>> times(np.array([0.1, 0.5, 0.9, 0.99])).tolist()
    [0, 1, 2, 4]
    """
    from scipy import stats

    return np.asarray(stats.poisson.ppf(units, 1), dtype=np.int64)
