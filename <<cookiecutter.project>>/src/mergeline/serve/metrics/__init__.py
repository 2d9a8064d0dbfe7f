"""What the server counts: requests, errors, the time of each part, rows, labels, scores and missing values.

A worker adds to float64 numbers at places that its bundle fixes. Where MERGELINE_METRICS names a folder, they lie in a
file that the workers beside it read too, and `GET /metrics` of any of them tells of all.
"""

import logging
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...bundle import Bundle
from ...columns import MISSING
from ..scoring import Prediction
from . import exposition, slots
from .exposition import CONTENT_TYPE
from .layout import GONE, KINDS, OTHER, ROWS, SECONDS, STAGE_SECONDS, Layout

__all__ = ["CONTENT_TYPE", "Metrics"]

log = logging.getLogger("mergeline.serve")


class Metrics:
    """The counts of one worker; `arm` says by which rule its release was chosen.

    A request is in flight while this is entered.
    """

    def __init__(
        self,
        bundle: Bundle,
        release: str | None,
        routes: Sequence[str],
        *,
        arm: str = "pinned",
        folder: Path | None = None,
    ) -> None:
        self._layout = layout = Layout(bundle, release, arm, routes)
        self._who = (bundle.id, release)
        self._folder = folder
        self._numbers = self._place()
        self._array = np.asarray(self._numbers, dtype=np.float64)
        self._columns = [(c.name, c.kind, at) for c, at in zip(bundle.signature.columns, layout.missing, strict=True)]
        texts = bundle.signature.known or {}
        self._known = [(name, frozenset([*texts[name], MISSING]), at) for name, at in layout.unknown.items()]
        self._numbers[layout.serving] = 1

    def _place(self) -> "memoryview[float]":
        """Give the place of the numbers: this process's memory where there is no folder, or none that can be written."""
        if self._folder is not None:
            try:
                return slots.mapped(self._folder, self._layout.series, self._layout.size)
            except OSError as error:
                log.warning("metrics are this process's alone", extra={"fields": {"error": str(error)}})
                self._folder = None
        return slots.plain(self._layout.size)

    def ready(self, *, welcome: bool) -> None:
        """Say whether new requests are welcome."""
        self._numbers[self._layout.ready] = welcome

    def __enter__(self) -> None:
        """Count a request that waits for its answer."""
        self._numbers[self._layout.in_flight] += 1

    def __exit__(self, *_: object) -> None:
        """Count it no more."""
        self._numbers[self._layout.in_flight] -= 1

    def answered(self, route: str, status: int) -> None:
        """Count an answer; `route` is one of the known ones, or "other"."""
        answers, code = self._layout.answers, str(int(status))
        place = answers.get((route, code))
        self._numbers[answers[route, OTHER] if place is None else place] += 1
        if status >= 400:
            self._numbers[self._layout.errors[KINDS.get(code, OTHER)]] += 1

    def logged(self, reason: str | None, rows: int) -> None:
        """Count rows that the prediction log has, or, with a reason, that it dropped; from one thread."""
        self._numbers[self._layout.logged if reason is None else self._layout.unlogged[reason]] += rows

    def hung_up(self) -> None:
        """Count a client that went away before its answer."""
        self._numbers[self._layout.errors[GONE]] += 1

    def predicted(self, made: Prediction) -> None:
        """Count a request's predictions."""
        layout, numbers, rows = self._layout, self._numbers, len(made.scores)
        self._observe(layout.seconds, SECONDS, made.seconds)
        self._observe(layout.rows, ROWS, rows)
        for place, seconds in zip(layout.stages, made.stages, strict=True):
            self._observe(place, STAGE_SECONDS, seconds)
        if rows == 1:
            self._one_row(made)
            return
        for label, count in (Counter(made.labels) if made.labels else {"": rows}).items():
            numbers[layout.predictions[label]] += count
        for name, kind, place in self._columns:
            values = made.raw[name]
            if kind == "number":
                absent = np.isnan(values)
            else:
                absent = np.isnat(values) if kind == "time" else np.equal(values, MISSING).astype(bool)
            numbers[place] += np.count_nonzero(absent)
        for name, known, place in self._known:
            numbers[place] += sum(value not in known for value in made.raw[name].tolist())
        if layout.edges:
            scores = made.scores[:, -1]
            scores = scores[np.isfinite(scores)]
            size = len(layout.edges) + 1
            found = np.bincount(np.searchsorted(layout.edges, scores), minlength=size)
            self._array[layout.scores : layout.scores + size] += found
            numbers[layout.scores + size] += scores.sum()

    def _one_row(self, made: Prediction) -> None:
        """Count one row: plain Python is several times faster than numpy on arrays of one value."""
        layout, numbers = self._layout, self._numbers
        numbers[layout.predictions[made.labels[0] if made.labels else ""]] += 1
        for name, kind, place in self._columns:
            value = made.raw[name].item()
            if value is None or (value != value if kind == "number" else value == MISSING):
                numbers[place] += 1
        for name, known, place in self._known:
            if made.raw[name].item() not in known:
                numbers[place] += 1
        if layout.edges:
            score = made.scores.item(-1)
            if np.inf > score > -np.inf:
                self._observe(layout.scores, layout.edges, score)

    def _observe(self, place: int, edges: Sequence[float], value: float) -> None:
        self._numbers[place + bisect_left(edges, value)] += 1
        self._numbers[place + len(edges) + 1] += value

    def retire(self) -> None:
        """Keep the counts, and serve no more."""
        self._numbers[self._layout.ready] = self._numbers[self._layout.serving] = 0

    def counts(self, bundle: Bundle, release: str | None) -> bool:
        """Say whether these are the counts of that bundle under that release."""
        return self._who == (bundle.id, release)

    def here(self) -> list[slots.Counted]:
        """Give what this worker counted."""
        return slots.cut(self._layout.series, self._numbers)

    @property
    def folder(self) -> Path | None:
        """Give the folder that it shares with other workers, if any."""
        return self._folder


def text(parts: Sequence[Metrics], experiment: Mapping[str, float]) -> bytes:
    """Give all metrics, of every worker that shares the folder, as Prometheus reads them.

    Args:
        parts: this worker's counts, the pinned release's first.
        experiment: what it counted of an experiment by name, which stays its own.
    """
    if shared := parts[0].folder:
        return exposition.text(*slots.everything(shared), experiment)
    return exposition.text([os.getpid()], [one for part in parts for one in part.here()], experiment)
