"""What was answered to one request becomes lines of the prediction log, masked before anything else happens to it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import numpy as np

from ...events import SCHEMA, Event, Row
from ..experiment.arms import Arms
from ..experiment.shadow import Shadowed
from ..scoring import Prediction
from .masking import Hasher, Mask, stricter

LINE_ROWS = 100
"""Of a line, at most: so neither a reader nor the interpreter is held up by a large request."""
KEY = "x-experiment-key"

encode = msgspec.json.Encoder().encode


class Lines:
    """Makes lines with one key for all that is hashed."""

    def __init__(self, key: str) -> None:
        self._hasher = Hasher(key)
        self._masks: tuple[Arms, Mask] | None = None

    def of(self, made: Prediction, arms: Arms, seconds: float) -> Iterator[tuple[bytes, int]]:
        """Give the lines of what these arms answered, and how many rows each has.

        Args:
            made: the answer.
            arms: of the moment of the answer.
            seconds: that moment, since 1970.
        """
        mask = self._mask(arms)
        for who, places in _arms(made, arms):
            for start in range(0, len(places), LINE_ROWS):
                some = places[start : start + LINE_ROWS]
                yield _line(seconds, made.request, who, made.seconds, self._rows(made, some, mask)), len(some)

    def of_shadow(self, made: Shadowed, seconds: float) -> Iterator[tuple[bytes, int]]:
        """Give the lines of what a shadow said, and how many rows each has."""
        rows = [Row(place, scores) for place, scores in enumerate(made.shadow.tolist())]
        for start in range(0, len(rows), LINE_ROWS):
            some = rows[start : start + LINE_ROWS]
            yield _line(seconds, made.request, (made.release, made.bundle, "shadow"), None, some), len(some)

    def _mask(self, arms: Arms) -> Mask:
        if self._masks is None or self._masks[0] is not arms:
            # A column that either release masks is masked in both: their rows are in one file.
            beside = [arms.beside.bundle.signature] if arms.beside else []
            mask = Mask(arms.bundle.signature, stricter(arms.bundle.signature, *beside), self._hasher)
            self._masks = (arms, mask)
        return self._masks[1]

    def _rows(self, made: Prediction, places: list[int], mask: Mask) -> list[Row]:
        every = len(places) == len(made.scores)
        features = mask.rows(made.raw, places)
        scores = (made.scores if every else made.scores[places]).tolist()
        keys, labels = made.keys, made.labels
        return [
            Row(
                place,
                said,
                labels[place] if labels else None,
                self._hasher(KEY, keys[place]) if keys else None,
                given,
            )
            for place, said, given in zip(places, scores, features, strict=True)
        ]


def _arms(made: Prediction, arms: Arms) -> Iterator[tuple[tuple[str | None, str, str], list[int]]]:
    """Give release, bundle and arm of each that answered, and the places of its rows."""
    pinned = (arms.release, arms.bundle.id, "pinned")
    if made.assigned is None or arms.beside is None:
        yield pinned, list(range(len(made.scores)))
        return
    theirs = (arms.beside.release, arms.beside.bundle.id, arms.beside.experiment.kind)
    for who, given in ((pinned, ~made.assigned), (theirs, made.assigned)):
        if places := np.flatnonzero(given).tolist():
            yield who, places


def _line(
    moment: float, request: str, who: tuple[str | None, str, str], seconds: float | None, rows: list[Row]
) -> bytes:
    release, bundle, arm = who
    event = Event(
        schema=SCHEMA,
        time=datetime.fromtimestamp(moment, UTC),
        request=request,
        release=release,
        bundle=bundle,
        arm=arm,
        seconds=seconds,
        rows=rows,
    )
    return encode(event) + b"\n"
