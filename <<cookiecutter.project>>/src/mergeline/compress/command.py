"""`model compress`: train smaller settings of the same recipe, and offer what is smaller, not slower and good enough."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import yaml
from rich.console import Console

from .. import bundle, config, frames
from ..config import Params
from ..errors import MergelineError
from ..trials import Judge, Told, Train
from . import edit, measure
from .ladder import Setting, rungs
from .result import Result, Size, Trial, shown

HELD_OUT = "data/held_out.parquet"
SHARED = ("data", "src", "pyproject.toml")
EQUAL = 1.05
"""Two models whose median latencies differ by less than this factor are equally fast: a machine is not steadier."""

AS_GOOD = ("same", "better")
"""Verdicts of the primary metric with which a smaller model is offered: what cannot be told is no reason to shrink."""


def run(root: Path, train: Train, judge: Judge, *, write: bool) -> Result:
    """Try the ladder; with `write`, put the smallest that is offered into params.yaml.

    The present settings are trained once more beside the trials, so the limit of bytes may have refused their bundle.

    Raises:
        BadSettings: there is nothing to halve, or the offered number cannot be written in place.
        BadData: the rows are not there.
    """
    params = config.of_stage(root)
    settings = rungs(params.model)
    with tempfile.TemporaryDirectory(prefix="mergeline-compress-") as folder:
        present = _folder(Path(folder) / "present", root, params, {})
        _tell("The present settings")
        train(present)
        tried = []
        for i, setting in enumerate(settings, start=1):
            _tell(f"Trial {i} of {len(settings)}: {shown(setting)}")
            place = _folder(Path(folder) / f"trial-{i}", root, params, setting)
            tried.append((setting, place, _tried(root, present, place, train, judge)))
        sizes = _sizes(root, [present, *(place for _, place, found in tried if isinstance(found, Told))])
    limit = params.export.compress.max_bytes
    trials = [
        Trial(
            model=setting,
            size=sizes.get(place),
            told=found if isinstance(found, Told) else None,
            reasons=_reasons(found, sizes[present], sizes[place], limit) if isinstance(found, Told) else [found],
        )
        for setting, place, found in tried
    ]
    offer = min((trial for trial in trials if trial.offered), key=_bytes, default=None)
    if offer and write:
        edit.write(root, offer.model)
    return Result(
        present=sizes[present],
        model={name: params.model[name] for name in dict.fromkeys(key for setting in settings for key in setting)},
        max_bytes=limit,
        trials=trials,
        offer=offer.model if offer else None,
        written=bool(offer and write),
    )


def _tell(text: str) -> None:
    """Say what the stages' own lines that follow belong to."""
    Console(stderr=True, highlight=False).print(text)


def _folder(place: Path, root: Path, params: Params, setting: Setting) -> Path:
    """Lay out a project with other settings that shares rows and code with this one.

    No limit of bytes holds there, and no earlier periods are judged: the limit is asked of the result.
    """
    place.mkdir()
    for name in SHARED:
        (place / name).symlink_to(root / name)
    changed: dict[str, Any] = msgspec.to_builtins(params)
    changed["model"] |= setting
    changed["export"]["compress"]["max_bytes"] = None
    changed["compare"]["folds"] = 0
    (place / config.PARAMS).write_text(yaml.safe_dump(changed), encoding="utf-8")
    return place


def _tried(root: Path, present: Path, place: Path, train: Train, judge: Judge) -> Told | str:
    """Train and judge one setting; one that cannot be trained or served is no offer, and says why."""
    try:
        train(place)
    except MergelineError as error:
        return str(error)
    return judge(root, present, place)


def _sizes(root: Path, places: list[Path]) -> dict[Path, Size]:
    models = [bundle.load(place / "bundle") for place in places]
    kinds = {column.name: column.kind for column in models[0].signature.columns}
    row = frames.raw(frames.read(root / HELD_OUT).head(1), kinds)
    bytes_ = [(place / "bundle" / bundle.MODEL).stat().st_size for place in places]
    found = zip(places, bytes_, measure.latencies(models, row), strict=True)
    return {place: Size(bytes=size, microseconds=round(taken, 2)) for place, size, taken in found}


def _reasons(told: Told, present: Size, size: Size, limit: int | None) -> list[str]:
    """Say why a trial is not offered."""
    found = list(told.refused)
    if told.word not in AS_GOOD:
        found.append("not shown to be as good")
    if size.bytes >= present.bytes:
        found.append("not smaller")
    if size.microseconds > EQUAL * present.microseconds:
        found.append("slower")
    if limit is not None and size.bytes > limit:
        found.append(f"more than the {limit:,} bytes of export.compress.max_bytes")
    return found


def _bytes(trial: Trial) -> int:
    return trial.size.bytes if trial.size else 0
