"""What `model compress` found: the present settings, each trial, and the one that is offered."""

from typing import Any

import msgspec
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..trials import Told
from .ladder import Setting

STYLES = {"better": "green", "worse": "red"}
FAVOURED = (
    "Chosen on the held-out rows, the smallest one looks better than it is, and the pull request judges on the same "
    "rows again: that is one more look at them."
)


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs to serve: bytes of model.onnx, and the median microseconds of one row."""

    bytes: int
    microseconds: float


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One smaller setting of the section `model`; `reasons` say why it is not offered, none where it is.

    `size` and `told` are null where it could not be trained or served.
    """

    model: Setting
    size: Size | None = None
    told: Told | None = None
    reasons: list[str] = []

    @property
    def offered(self) -> bool:
        """Say whether it is smaller, not slower, shown to be as good, and passes the gates."""
        return not self.reasons


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All trials, in the order in which they were tried; `offer` is the smallest that is offered."""

    present: Size
    model: Setting
    max_bytes: int | None
    trials: list[Trial]
    offer: Setting | None
    written: bool
    note: str = FAVOURED

    def table(self) -> Any:
        """Draw it."""
        told = next((trial.told for trial in self.trials if trial.told), None)
        metric, level = (told.metric, f"{100 * told.level:.4g}%") if told else ("metric", "")
        table = Table(box=box.SIMPLE_HEAD)
        for title in ("model", "bytes", "us a row", metric, f"difference {level}".strip(), "verdict", "offered"):
            table.add_column(title, justify="right" if title in ("bytes", "us a row") else "left")
        now = f"{told.present:.4f}" if told and told.present is not None else ""
        table.add_row(shown(self.model), *_size(self.present), now, "", "", "is in params.yaml")
        for trial in self.trials:
            table.add_row(shown(trial.model), *_size(trial.size), *_judged(trial.told), Text(_said(trial)))
        return Group(table, *(Text(line) for line in self.sentences()))

    def sentences(self) -> list[str]:
        """Say what to do, and what not to conclude."""
        if self.offer is None:
            return ["Nothing is offered: no trial is smaller, not slower, as good, and passes the gates."]
        done = "params.yaml has it now: open a pull request" if self.written else "`model compress --write` sets it"
        return [f"Offered: {shown(self.offer)}; {done}.", self.note]


def shown(setting: Setting) -> str:
    """Give a setting in words."""
    return ", ".join(f"{name} {value}" for name, value in setting.items())


def _size(size: Size | None) -> tuple[str, str]:
    return (f"{size.bytes:,}", f"{size.microseconds:.1f}") if size else ("", "")


def _judged(told: Told | None) -> tuple[str, str, Text]:
    if told is None:
        return "", "", Text("")
    value = "" if told.trial is None else f"{told.trial:.4f}"
    gap = ""
    if told.difference is not None and told.interval is not None:
        gap = f"{told.difference:+.4f} [{told.interval[0]:+.4f}, {told.interval[1]:+.4f}]"
    because = f": {told.reason}" if told.reason else ""
    return value, gap, Text(f"{told.word}{because}", style=STYLES.get(told.word, ""))


def _said(trial: Trial) -> str:
    return "yes" if trial.offered else "no: " + "; ".join(trial.reasons)
