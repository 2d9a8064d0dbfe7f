"""params.yaml (the author's knobs) and gates.yaml (the owners' rules), strict: an unknown key is an error."""

import math
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta

from .errors import BadSettings

PARAMS = "params.yaml"
GATES = "gates.yaml"

Task = Literal["classification", "regression"]
SplitBy = Literal["time", "group", "random", "stratified"]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Level = Annotated[float, Meta(gt=0, lt=1)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys and numbers that are not finite are errors, values are immutable."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}, not a finite number")


class Data(_Strict, frozen=True, kw_only=True):
    """Where raw rows come from. `path` is below the project's folder. `as_of` is exclusive: rows before that day."""

    source: Literal["example", "files"] = "example"
    path: str = "data/files"
    as_of: str | None = None

    def __post_init__(self) -> None:
        if PurePosixPath(self.path).is_absolute() or ".." in PurePosixPath(self.path).parts:
            raise ValueError(f"path {self.path} is not below the project's folder, where DVC sees it change")
        try:
            date.fromisoformat(self.as_of or "2013-07-01")
        except ValueError:
            raise ValueError(f'as_of {self.as_of} is no day; write it as "2013-07-01"') from None


class Split(_Strict, frozen=True, kw_only=True):
    """How held-out rows are chosen: the last days by time, else a `share` of groups or rows by hash."""

    by: SplitBy = "time"
    held_out_days: Annotated[int, Meta(ge=1)] = 30
    share: Share = 0.2
    group: str | None = None


class Threshold(_Strict, frozen=True, kw_only=True):
    """The score from which a row is called positive: `value`, or the one with the best F1 on folds of training rows."""

    rule: Literal["fixed", "best_f1"] = "fixed"
    value: Share = 0.5


class Seeds(_Strict, frozen=True, kw_only=True):
    """One seed per random step."""

    split: int = 7
    train: int = 7
    compare: int = 7


class Compress(_Strict, frozen=True, kw_only=True):
    """How large the bundle's model.onnx may be, in bytes; null sets no limit."""

    max_bytes: Annotated[int, Meta(ge=1)] | None = None


class Export(_Strict, frozen=True, kw_only=True):
    """How far the bundle's answers may be from training's, and how large it may be."""

    tolerance: Positive = 1e-5
    max_flips: Annotated[int, Meta(ge=0)] = 0
    compress: Compress = Compress()


class Compare(_Strict, frozen=True, kw_only=True):
    """How pull requests are judged; taken from the base branch.

    `refits` models trained anew measure the noise of training (1: not measured); `folds` earlier periods are judged too.
    """

    group: str | None = None
    level: Level = 0.95
    refits: Annotated[int, Meta(ge=1, le=20)] = 1
    folds: Annotated[int, Meta(ge=0, le=12)] = 0


class Params(_Strict, frozen=True, kw_only=True):
    """params.yaml."""

    python: str
    task: Task
    data: Data = Data()
    split: Split = Split()
    model: dict[str, Any] = {}
    threshold: Threshold = Threshold()
    seeds: Seeds = Seeds()
    export: Export = Export()
    compare: Compare = Compare()


class _Asked(_Strict, frozen=True, kw_only=True):
    """Rules by name; an absent one is not asked."""

    def asked(self) -> dict[str, float]:
        """Give the limit of each rule that is asked, in the order of the fields; 1 for one that is only on or off."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: float(value) for name, value in found.items() if value is not None and value is not False}


class Rules(_Asked, frozen=True, kw_only=True):
    """What a candidate must pass for one metric."""

    not_worse: bool = False
    proven_not_worse: bool = False
    better: bool = False
    at_least: float | None = None
    at_most: float | None = None


class MetricGate(_Strict, frozen=True, kw_only=True):
    """`matters` is the smallest difference that matters, in the metric's unit.

    `better` is the direction of a metric of the project's own, which src/model/metrics.py defines.
    """

    matters: NotNegative
    better: Literal["higher", "lower"] | None = None
    rules: Rules = Rules()


class Limits(_Asked, frozen=True, kw_only=True):
    """What a candidate must pass beside the metrics. `at_most_times` is of the base's value."""

    not_worse: bool = False
    at_least: float | None = None
    at_most: float | None = None
    at_most_times: Positive | None = None


class Override(_Strict, frozen=True, kw_only=True):
    """A gate that the owners lift for one pull request, with the reason that the comment prints."""

    gate: str
    pull_request: int
    reason: str


class Promotion(_Strict, frozen=True, kw_only=True):
    """The order in which environments get a release, and for how long a new one is watched after its smoke test."""

    order: tuple[str, ...] = ("staging", "production")
    watch_minutes: Annotated[float, Meta(ge=0, le=30)] = 10


class Gates(_Strict, frozen=True, kw_only=True):
    """gates.yaml. `primary` names the metric whose verdict is the pull request's.

    `slices` are columns of schema.py, or `column=value`, judged by the primary metric; `fairness` are sensitive columns
    with the measures whose gap is judged; docs/gates.md lists the names in the other sections.
    """

    primary: str
    metrics: dict[str, MetricGate]
    slices: dict[str, Limits] = {}
    fairness: dict[str, dict[str, Limits]] = {}
    flips: dict[str, Limits] = {}
    calibration: dict[str, Limits] = {}
    cost: dict[str, Limits] = {}
    data: dict[str, Limits] = {}
    overrides: list[Override] = []
    promotion: Promotion = Promotion()

    def limits(self) -> Iterator[tuple[str, str, Limits]]:
        """Give what is asked beside the metrics: section, name there (`column.measure` in `fairness`), and the limits."""
        plain = {section: getattr(self, section) for section in ("slices", "flips", "calibration", "cost", "data")}
        gaps = {f"{column}.{measure}": found for column, of in self.fairness.items() for measure, found in of.items()}
        for section, content in {**plain, "fairness": gaps}.items():
            for name, found in content.items():
                yield section, name, found

    def names(self) -> list[str]:
        """Give the names of all rules that are asked, as overrides and comments use them."""
        found = [f"{name}.{rule}" for name, gate in self.metrics.items() for rule in gate.rules.asked()]
        return found + [f"{section}.{name}.{rule}" for section, name, of in self.limits() for rule in of.asked()]

    def lifted(self, number: int | None) -> dict[str, str]:
        """Give the reasons, by gate, of the overrides for a pull request."""
        return {one.gate: one.reason for one in self.overrides if one.pull_request == number}


T = TypeVar("T", bound=msgspec.Struct)


def params(root: Path) -> Params:
    """Read params.yaml below `root`. Raises BadSettings with file, key and allowed values."""
    return parse(_text(root / PARAMS), Params, PARAMS)


def of_stage(root: Path) -> Params:
    """Read params.yaml for a stage, which refuses under another Python than `python` says. Raises BadSettings."""
    found = params(root)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found.python != here:
        raise BadSettings(
            f"{PARAMS}: python is {found.python}, this is Python {here}",
            f'`rm -rf .venv && make setup PYTHON=python{found.python}` sets up that one; or write `python: "{here}"` there.',
        )
    return found


def gates(root: Path) -> Gates:
    """Read gates.yaml below `root`. Raises BadSettings with file, key and allowed values."""
    return parse(_text(root / GATES), Gates, GATES)


def parse(text: str, kind: type[T], name: str) -> T:
    """Decode YAML `text` of the file `name` into `kind`. Raises BadSettings."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise BadSettings(f"{name}{line}: not valid YAML") from error
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{name}: {explain(str(error), found, kind)}") from error


def explain(message: str, found: Any, kind: type[msgspec.Struct]) -> str:
    """Say which key is wrong, how, and what is allowed there.

    Args:
        message: msgspec's; it ends with the place of the mistake, e.g. `$.data.source` or `$.metrics[...].rules`.
        found: what the file holds.
        kind: what it should be.
    """
    said, _, place = message.partition(" - at ")
    key, at = "", kind
    for part in re.findall(r"\[[^]]+\]|[^.\[]+", place.rpartition("$")[2].rstrip("`")):
        if part == "[...]":  # msgspec does not say which key of a mapping: the first whose value does not fit
            at = get_args(at)[1]
            part = next(name for name, value in found.items() if not _fits(value, at))
            found = found[part]
        elif part.startswith("["):
            at, found = get_args(at)[0], found[int(part[1:-1])]
        else:
            at, found = {f.name: f.type for f in msgspec.structs.fields(at)}[part], found.get(part)
        key += part if part.startswith("[") or not key else f".{part}"
    said = (f"{key}: {said}" if key else said) + (" as a key" if place.startswith("`key`") else "")
    if "unknown field" in said:
        return f"{said}; allowed: {', '.join(f.name for f in msgspec.structs.fields(at))}"
    if get_origin(at) is Literal:
        return f"{said}; allowed: {', '.join(map(str, get_args(at)))}"
    if "Expected `str" in said and isinstance(found, int | float | date):
        return f"{said}; write it in quotes"
    return said


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadSettings(
            f"{path.name}: cannot be read from {path.parent.name}/", "Run the command in the project's folder."
        ) from error
