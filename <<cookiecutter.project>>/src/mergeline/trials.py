"""What the rooms that train and judge tell of a trial: the recipe with other settings, in a folder of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A trial's primary metric against the present settings' on the same rows; null with a reason where there is none.

    `difference` is trial minus present, in the metric's unit, with its interval at `level`; `refused` has one line for
    each rule of gates.yaml that it breaks, `noise` says whose noise of training is in the interval.
    """

    metric: str
    level: float
    matters: float
    word: str
    noise: str
    present: float | None
    trial: float | None
    difference: float | None
    interval: tuple[float, float] | None
    reason: str | None = None
    refused: list[str] = []


Train: TypeAlias = Callable[[Path], None]
"""Trains, converts and proves the project in a folder, as a pull request's stages do: (folder)."""
Judge: TypeAlias = Callable[[Path, Path, Path], Told]
"""Judges a trial as a pull request is judged: (this project, folder of the present settings, folder of the trial)."""
