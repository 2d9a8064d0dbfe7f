"""One request's bytes become predictions: by which protocol they are read, what the model says, what is answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle, Signature
from ..columns import Raw
from ..errors import BadData
from . import invocations, wire
from .wire import BOUNDS, JSON, Bounds, Refused


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a body is read and answered; `names` says whether an answer names what gave it, beside its headers."""

    types: tuple[str, ...]
    read: Callable[[bytes, str, Signature, Bounds], Raw]
    answer: Callable[[NDArray[np.float64], list[str], Signature], dict[str, Any]]
    names: bool


PREDICT = "/predict"
PROTOCOLS = {
    PREDICT: Protocol((JSON,), wire.read, wire.answer, names=True),
    "/invocations": Protocol(invocations.TYPES, invocations.read, invocations.answer, names=False),
}
encode = msgspec.json.Encoder().encode


class Prediction(msgspec.Struct, frozen=True):
    """What one request was answered, for those who count and record it.

    `raw` has the signature's columns, each shape (n,); `scores` is (n, classes), or (n, 1) for regression; `labels` is
    (n,), empty for regression; `seconds` is how long it took from the whole body to the answer's bytes,
    `stages` what of it parse, features and model took; `assigned`, shape (n,), are the rows that an experiment's release
    answered, and `keys` what each row was assigned by; None where none could.
    """

    request: str
    raw: Raw
    scores: NDArray[np.float64]
    labels: list[str]
    seconds: float
    stages: tuple[float, float, float]
    assigned: NDArray[np.bool_] | None = None
    keys: list[str] | None = None

    def rows(self, which: NDArray[np.bool_]) -> "Prediction":
        """Give some of the rows, shape (n,)."""
        raw = {name: values[which] for name, values in self.raw.items()}
        labels = [label for label, wanted in zip(self.labels, which.tolist(), strict=False) if wanted]
        return msgspec.structs.replace(
            self, raw=raw, scores=self.scores[which], labels=labels, assigned=None, keys=None
        )


class Read(msgspec.Struct, frozen=True):
    """A request's raw columns, shape (n,) each; `start` is when its body was whole, `seconds` what parsing took."""

    raw: Raw
    start: float
    seconds: float


Scored: TypeAlias = tuple[NDArray[np.float64], float, float]
"""Scores, (n, classes) or (n, 1), and the seconds that features and model took."""


def predict(
    bundle: Bundle,
    release: str | None,
    protocol: Protocol,
    request: str,
    kind: str,
    body: bytes,
    bounds: Bounds = BOUNDS,
) -> tuple[bytes, Prediction]:
    """Give the answer's bytes, and what there is to tell of it. Raises Refused."""
    found = read(bundle, protocol, kind, body, bounds)
    return told(bundle, release, protocol, request, found, score(bundle, found.raw))


def read(bundle: Bundle, protocol: Protocol, kind: str, body: bytes, bounds: Bounds) -> Read:
    """Make raw columns of a body. Raises Refused."""
    start = time.perf_counter()
    raw = protocol.read(body, kind, bundle.signature, bounds)
    return Read(raw, start, time.perf_counter() - start)


def score(bundle: Bundle, raw: Raw) -> Scored:
    """Score raw columns. Raises Refused (422) when the author's code cannot work with them."""
    try:
        return bundle.timed(raw)
    except BadData as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def told(
    bundle: Bundle, release: str | None, protocol: Protocol, request: str, found: Read, scored: Scored
) -> tuple[bytes, Prediction]:
    """Give the answer's bytes, and what there is to tell of it. Raises Refused (422) where a score is not finite."""
    scores, features, model = scored
    labels = wire.labels(scores, bundle.signature)
    who = {"release": release, "bundle": bundle.id} if protocol.names else {}
    answer = encode(who | protocol.answer(scores, labels, bundle.signature))
    stages = (found.seconds, features, model)
    return answer, Prediction(request, found.raw, scores, labels, time.perf_counter() - found.start, stages)
