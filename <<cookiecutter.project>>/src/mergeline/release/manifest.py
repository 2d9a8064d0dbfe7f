"""`release.json` and `pin.json`: their structure, their ids, reading and writing them.

A release is immutable. Its `id` is the sha256 of the canonical JSON (keys sorted, no spaces, UTF-8) of the
fields of `Identity`, so the same bundle, image, data, code, parameters and metrics always have the same id.
What is learned later, or says where and when, stands outside the id.

To change the format: add the field here with a default, raise `SCHEMA`, keep reading the previous number in
`read_release` for one template release, and say so in the CHANGELOG.
"""

import hashlib
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from .. import files
from ..errors import Integrity

SCHEMA = 1
RELEASE = "release.json"
PIN = "pin.json"


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are refused, values are immutable."""


R = TypeVar("R", bound=_Record)


class Model(_Record, frozen=True, kw_only=True):
    """`bundle_id` is the sha256 of bundle.json, `signature` the sha256 of signature.json."""

    name: str
    bundle_id: str
    signature: str


class DataState(_Record, frozen=True, kw_only=True):
    """The raw rows: DVC's hash of data/raw.parquet, how many, and the days they cover (both inclusive)."""

    hash: str
    rows: int
    period: tuple[str, str] | None = None


class Measured(_Record, frozen=True, kw_only=True):
    """A metric on the held-out rows, with its 95% interval; null with a reason where rows cannot support it."""

    value: float | None
    interval: tuple[float, float] | None = None
    reason: str | None = None


class Identity(_Record, frozen=True, kw_only=True):
    """What the release's id is made of."""

    schema: int = SCHEMA
    model: Model
    image: str | None
    code: str
    data: DataState
    params: dict[str, Any]
    metrics: dict[str, Measured]


class Verdict(_Record, frozen=True, kw_only=True):
    """The reviewed verdict; `against` is the bundle id that it was judged against."""

    word: Literal["better", "worse", "same", "cannot tell"]
    metric: str
    difference: float | None
    interval: tuple[float, float] | None
    against: str | None


class MlflowRun(_Record, frozen=True, kw_only=True):
    """Where the tracking server has it."""

    run_id: str
    version: str | None = None


class Release(_Record, frozen=True, kw_only=True):
    """release.json, verbatim also in a pin."""

    schema: int = SCHEMA
    id: str
    model: Model
    image: str | None
    code: str
    data: DataState
    params: dict[str, Any]
    metrics: dict[str, Measured]
    created: str
    verdict: Verdict | None = None
    mlflow: MlflowRun | None = None
    attestation: str | None = None

    def identity(self) -> Identity:
        """Give the part that the id is made of."""
        return Identity(**{name: getattr(self, name) for name in Identity.__struct_fields__})


class Experiment(_Record, frozen=True, kw_only=True):
    """A second release served beside the pinned one."""

    release: Release
    kind: Literal["ab", "shadow", "canary"]
    share: float
    key: str | None = None
    limits: dict[str, float] = {}

    def words(self) -> str:
        """Say it in a few words, e.g. "ab of 0123456789ab, 10%"."""
        share = "" if self.kind == "shadow" else f", {100 * self.share:.4g}%"
        return f"{self.kind} of {self.release.id[:12]}{share}"


class Pin(_Record, frozen=True, kw_only=True):
    """pin.json: the release that an environment runs, and the experiment beside it."""

    release: Release | None
    experiment: Experiment | None = None

    @property
    def releases(self) -> list[Release]:
        """Give what runs: the pinned release first, then the experiment's."""
        beside = self.experiment.release if self.experiment else None
        return [release for release in (self.release, beside) if release is not None]


def short(release: str | None) -> str:
    """Give as much of a release's id as a person reads; "none" for none."""
    return (release or "none")[:12]


def identify(identity: Identity) -> str:
    """Give the sha256 of the canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()


def verify(release: Release, where: str = RELEASE) -> Release:
    """Give the release back when its id is that of its content. Raises Integrity."""
    if (found := identify(release.identity())) != release.id:
        raise Integrity(f"{where}: the content has id {found[:12]}, the file says {release.id[:12]}")
    return release


def read_release(path: Path) -> Release:
    """Read and verify. Raises Integrity when the file is absent, not of this format, or was changed."""
    return verify(_read(path, Release), str(path.name))


def read_pin(path: Path) -> Pin:
    """Read and verify what is pinned. Raises Integrity."""
    return parse_pin(_bytes(path), f"{path.parent.name}/{path.name}")


def parse_pin(text: bytes, where: str) -> Pin:
    """Decode and verify a pin, `where` names it in the message. Raises Integrity."""
    pin = _decode(text, Pin, where)
    for release in (pin.release, pin.experiment.release if pin.experiment else None):
        if release is not None:
            verify(release, where)
    return pin


def content(record: _Record) -> bytes:
    """Give the bytes that `write` writes."""
    return msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=2) + b"\n"


def write(path: Path, record: _Record) -> None:
    """Write JSON for people (indented, sorted keys), whole or not at all."""
    files.write(path, content(record))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Integrity(f"{path.parent.name}/{path.name} cannot be read") from error


def _read(path: Path, kind: type[R]) -> R:
    return _decode(_bytes(path), kind, path.name)


def _decode(text: bytes, kind: type[R], where: str) -> R:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise Integrity(f"{where}: {error}") from error
