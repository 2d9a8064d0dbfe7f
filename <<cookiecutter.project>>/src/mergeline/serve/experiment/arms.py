"""Answers a request by the pinned release, by the experiment's, or each row by the one that it is assigned to."""

import asyncio
import functools
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...bundle import Bundle
from ...columns import Raw, rows
from ...errors import BadData, BadSettings
from ...experiments import Kind, unlike
from .. import scoring, wire
from ..request import Request
from ..scoring import Prediction, Protocol, encode
from ..together import Together
from ..wire import BOUNDS, Bounds, Refused
from . import assignment
from .breaker import Breaker
from .shadow import Shadow, Shadowed

KEY = b"x-experiment-key"
ARM = b"x-experiment-arm"
"""A request that says `pinned` here is answered by the pinned release alone: so a deployment is tested."""


class Model(msgspec.Struct, frozen=True):
    """Which bundle, by the sha256 of its bundle.json."""

    bundle_id: str


class Release(msgspec.Struct, frozen=True):
    """As much of a release as a server needs."""

    id: str
    model: Model


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """What the pin says of an experiment; `key` names the column whose values keep their arm."""

    release: Release
    kind: Kind
    share: float
    key: str | None = None
    limits: dict[str, float] = {}


class Beside:
    """The experiment's release in this process.

    Attributes:
        assigned: rows that it answered.
        errors: requests that it failed on, and the pinned release answered in its place.
        breaker: says whether it was dropped here.
        shadow: of a shadow, else None.
    """

    def __init__(
        self, experiment: Experiment, bundle: Bundle, pinned: Bundle, record: Callable[[Shadowed], None]
    ) -> None:
        """Raises BadSettings when it cannot stand beside the pinned bundle."""
        self.experiment, self.bundle, self.release = experiment, bundle, experiment.release.id
        _check(experiment, bundle, pinned)
        self.assigned, self.errors = 0, 0
        self.breaker = Breaker(self.release, experiment.limits)
        self.shadow = Shadow(bundle, self.release, record) if experiment.kind == "shadow" else None

    def assign(self, asked: Request, raw: Raw, count: int) -> tuple[NDArray[np.bool_], list[str] | None]:
        """Say which rows it answers, shape (n,), and by which keys; None where no key decides."""
        if self.breaker.tripped or asked.header(ARM) == "pinned":
            return np.zeros(count, dtype=np.bool_), None
        values = raw[self.experiment.key] if self.experiment.key else None
        keys = assignment.keys(values, count, asked.id, asked.header(KEY))
        return assignment.rows(self.release, self.experiment.share, keys), keys

    def scores(self, raw: Raw) -> NDArray[np.float64] | None:
        """Give its scores; None when it raises, or has no finite answer for a row."""
        start = time.perf_counter()
        try:
            found = self.bundle.scores(raw)
        except Exception:  # its own code and model: the pinned release answers instead
            return None
        if not np.isfinite(found).all():
            return None
        self.assigned += len(found)
        self.breaker.answered(1000 * (time.perf_counter() - start), float(found[:, -1].sum()), len(found))
        return found

    def failed(self) -> None:
        """Note a request that it failed on, and that the pinned release could answer."""
        self.errors += 1
        self.breaker.failed()


class Arms:
    """The pinned release, and the experiment's where there is one; `trouble` says why one that is pinned is not."""

    def __init__(self, bundle: Bundle, release: str | None, beside: Beside | None = None, trouble: str = "") -> None:
        self.bundle, self.release, self.beside, self.trouble = bundle, release, beside, trouble
        self._together = Together(functools.partial(scoring.score, bundle))

    def predict(
        self, asked: Request, protocol: Protocol, kind: str, body: bytes, bounds: Bounds = BOUNDS
    ) -> tuple[bytes, Prediction]:
        """Give the answer's bytes, and what there is to tell of it; in any thread. Raises Refused."""
        if (beside := self._answering) is not None:
            return self._each(beside, asked, protocol, kind, body, bounds)
        return self._shadowed(*scoring.predict(self.bundle, self.release, protocol, asked.id, kind, body, bounds))

    async def predict_together(
        self, asked: Request, protocol: Protocol, kind: str, body: bytes, bounds: Bounds
    ) -> tuple[bytes, Prediction]:
        """Give what `predict` gives, for what comes at the same time in one call of the model. Raises Refused."""
        if (beside := self._answering) is not None:
            await asyncio.sleep(0)  # those that came at the same time take their places before one is scored
            return self._each(beside, asked, protocol, kind, body, bounds)
        found = scoring.read(self.bundle, protocol, kind, body, bounds)
        scored = await self._together.scores(found.raw)
        return self._shadowed(*scoring.told(self.bundle, self.release, protocol, asked.id, found, scored))

    @property
    def _answering(self) -> Beside | None:
        """Give the experiment's release where it answers requests, not where it is a shadow."""
        return None if self.beside is None or self.beside.shadow is not None else self.beside

    def _shadowed(self, answer: bytes, made: Prediction) -> tuple[bytes, Prediction]:
        if self.beside is not None and self.beside.shadow is not None:
            self.beside.shadow.offer(made.request, made.raw, made.scores)
        return answer, made

    def counts(self) -> Mapping[str, float]:
        """Give what is counted of an experiment, by name; nothing where the pin has none."""
        if self.beside is None:
            return {"unavailable": 1} if self.trouble else {}
        beside, shadow = self.beside, self.beside.shadow
        if shadow is not None:
            return {
                "unavailable": 0,
                "shadow_rows": shadow.scored,
                "shadow_dropped": shadow.dropped,
                "shadow_largest_difference": shadow.largest,
                "errors": shadow.errors,
            }
        tripped = int(beside.breaker.tripped is not None)
        return {"unavailable": 0, "assigned": beside.assigned, "errors": beside.errors, "tripped": tripped}

    def close(self) -> None:
        """Let what is queued be scored; call it when no request comes any more."""
        if self.beside is not None and self.beside.shadow is not None:
            self.beside.shadow.close()

    def _each(
        self, beside: Beside, asked: Request, protocol: Protocol, kind: str, body: bytes, bounds: Bounds
    ) -> tuple[bytes, Prediction]:
        start = time.perf_counter()
        signature = self.bundle.signature
        raw = protocol.read(body, kind, signature, bounds)
        parsed = time.perf_counter() - start
        given, keys = beside.assign(asked, raw, rows(raw))
        try:
            scores, given = self._scores(beside, raw, given)
            scored = time.perf_counter() - start - parsed  # features too: of two releases they are not told apart
        except BadData as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        labels = wire.labels(scores, signature)
        if labels and given.any():
            theirs = wire.labels(scores[given], beside.bundle.signature)  # by a threshold of its own
            for i, label in zip(np.flatnonzero(given).tolist(), theirs, strict=True):
                labels[i] = label
        answer = protocol.answer(scores, labels, signature)
        if protocol.names:
            answer = {"release": self.release, "bundle": self.bundle.id, **answer}
            for one, theirs_it_is in zip(answer["predictions"], given.tolist(), strict=True):
                one["release"] = beside.release if theirs_it_is else self.release
        made = Prediction(asked.id, raw, scores, labels, 0.0, (parsed, 0.0, scored), given, keys)
        said = encode(answer)
        return said, msgspec.structs.replace(made, seconds=time.perf_counter() - start)

    def _scores(
        self, beside: Beside, raw: Raw, given: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Give all rows' scores, and which of them are the experiment's: none when it fails. Raises BadData."""
        if not given.any():
            return self.bundle.scores(raw), given
        if given.all():
            theirs = beside.scores(raw)
            if theirs is not None:
                return theirs, given
        else:
            ours = self.bundle.scores({name: values[~given] for name, values in raw.items()})
            theirs = beside.scores({name: values[given] for name, values in raw.items()})
            if theirs is not None:
                scores = np.empty((len(given), ours.shape[1]))
                scores[~given], scores[given] = ours, theirs
                return scores, given
        scores = self.bundle.scores(raw)
        if np.isfinite(scores).all():  # else the rows are to blame
            beside.failed()
        return scores, np.zeros_like(given)


def _check(experiment: Experiment, bundle: Bundle, pinned: Bundle) -> None:
    """Refuse a bundle that takes other columns, or answers in other words. Raises BadSettings."""
    if reason := unlike(pinned.signature, bundle.signature):
        raise BadSettings(reason)
    if experiment.key is not None and experiment.key not in {c.name for c in pinned.signature.columns}:
        raise BadSettings(f"the experiment's key {experiment.key!r:.60} is no column of the model")
    if not 0 < experiment.share <= 1:
        raise BadSettings(f"the experiment's share {experiment.share} is not above 0 and at most 1")
