"""Which series a worker counts, and where in its row of numbers each one lies.

All of them are known from the bundle before the first request, so counting is an addition at a fixed place.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...bundle import Bundle

# One row takes well under a millisecond, ten thousand rows some tens: finer at the bottom than the usual buckets.
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STAGE_SECONDS = (0.00001, 0.000025, 0.00005, *SECONDS)
ROWS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
SCORE_BUCKETS = 20
STAGES = ("parse", "features", "model")
STATUSES = ("200", "400", "401", "404", "405", "408", "413", "415", "422", "429", "431", "500", "503")
KINDS = {
    "400": "unreadable",
    "401": "unauthorized",
    "404": "no_such_path",
    "405": "method",
    "408": "timeout",
    "413": "too_large",
    "415": "content_type",
    "422": "does_not_fit",
    "429": "limited",
    "431": "too_large",
    "500": "failed",
    "503": "unavailable",
}
GONE = "gone"
OTHER = "other"
LOG_REASONS = ("queue", "disk", "failed")


class Series(msgspec.Struct, frozen=True):
    """One series: a single number from place `at`, or a histogram's buckets, the one beyond all edges, and its sum."""

    name: str
    labels: dict[str, str]
    at: int
    edges: list[float] | None = None

    @property
    def size(self) -> int:
        """Say how many numbers it takes."""
        return 1 if self.edges is None else len(self.edges) + 2


class Layout:
    """The series of one worker, laid out one after the other; `places` finds the first number of each."""

    def __init__(self, bundle: Bundle, release: str | None, arm: str, routes: Sequence[str]) -> None:
        self.series: list[Series] = []
        self.size = 0
        signature = bundle.signature
        self.in_flight = self._add("mergeline_requests_in_flight", {})
        self.ready = self._add("mergeline_ready", {})
        self.serving = self._add(
            "mergeline_serving", {"model": signature.name, "bundle": bundle.id, "release": release or ""}
        )
        self.answers = {
            (route, status): self._add("mergeline_requests", {"route": route, "status": status})
            for route in (*routes, OTHER)
            for status in (*STATUSES, OTHER)
        }
        self.errors = {kind: self._add("mergeline_errors", {"kind": kind}) for kind in (*KINDS.values(), GONE, OTHER)}
        self.logged = self._add("mergeline_prediction_log_rows", {})
        self.unlogged = {
            reason: self._add("mergeline_prediction_log_dropped_rows", {"reason": reason}) for reason in LOG_REASONS
        }
        who = {"release": release or "", "arm": arm}
        self.seconds = self._add("mergeline_predict_seconds", who, SECONDS)
        self.rows = self._add("mergeline_predict_rows", who, ROWS)
        self.stages = [self._add("mergeline_stage_seconds", {"stage": s} | who, STAGE_SECONDS) for s in STAGES]
        self.predictions = {
            label: self._add("mergeline_predictions", {"label": label} | who) for label in signature.classes or [""]
        }
        self.missing = [self._add("mergeline_missing_values", {"column": c.name} | who) for c in signature.columns]
        self.unknown = {
            name: self._add("mergeline_unknown_values", {"column": name} | who) for name in signature.known or ()
        }
        self.edges = _score_edges(bundle)
        self.scores = self._add("mergeline_predict_score", who, self.edges) if self.edges else -1

    def _add(self, name: str, labels: dict[str, str], edges: Sequence[float] | None = None) -> int:
        at = self.size
        self.series.append(Series(name, labels, at, None if edges is None else list(edges)))
        self.size += self.series[-1].size
        return at


def _score_edges(bundle: Bundle) -> list[float]:
    """Give the upper edges of the scores' buckets: on [0, 1] for two classes; none for more.

    For a regression they cover the smoke rows' values, and half of their range more on either side.
    """
    classes = bundle.signature.classes
    if classes:
        return [(i + 1) / SCORE_BUCKETS for i in range(SCORE_BUCKETS)] if len(classes) == 2 else []
    values: list[Any] = [score for row in bundle.smoke.scores for score in row] or [0.0]
    low, high = float(min(values)), float(max(values))
    margin = (high - low) / 2 or 1.0
    step = (high - low + 2 * margin) / (SCORE_BUCKETS - 1)
    return [low - margin + i * step for i in range(SCORE_BUCKETS)]
