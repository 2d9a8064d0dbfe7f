"""The same recipe trained anew, so that the noise of training can be seen: `results/refits/`, written by `model refit`.

Fit i takes another seed and another half of the training groups. Which half depends on the group and i alone, so base
and candidate see the same ones, and what both gain from them cancels in their difference. The spread over random halves
is that of training sets drawn anew (the delete-half jackknife, Shao & Wu 1989), at half of the cost of a bootstrap.
"""

from pathlib import Path

import msgspec

from .bundle import Bundle, with_model
from .errors import Integrity

FOLDER = "results/refits"
INDEX = "index.json"


class Fold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model trained on rows before `first`, to be judged on rows from that day to before `end`."""

    model: str
    first: str
    end: str


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which files are there: models trained anew on halves of the groups, and models of earlier origins."""

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
    """Give the models trained anew, in the order of their halves."""
    return [(root / FOLDER / name).read_bytes() for name in read(root).refits]


def bundles(root: Path, model: Bundle) -> list[Bundle]:
    """Give a bundle with each of the models trained anew in the place of its own."""
    return [with_model(model, found) for found in models(root)]
