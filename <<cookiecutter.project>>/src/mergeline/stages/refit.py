"""Train the recipe anew, to see how much the metrics move by themselves, and from earlier days on, to judge more periods.

What is trained here is never served: `model compare` alone reads it.
"""

import shutil
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from .. import bundle, config, files, frames, refits
from ..bundle import Signature
from ..config import Params
from ..errors import BadSettings
from ..progress import step
from ..refits import Fold, Index
from . import convert
from .groups import names as group_names
from .schema import TRAIN, Schema, schema
from .split import unit
from .train import fit

SIGNED = f"bundle/{bundle.SIGNATURE}"


def run(root: Path) -> None:
    """Write results/refits/. Raises BadData, BadSettings."""
    params, known = config.of_stage(root), schema()
    compare = params.compare
    signed = msgspec.json.decode((root / SIGNED).read_bytes(), type=Signature)
    rows = frames.read(root / TRAIN)
    into = root / refits.FOLDER
    shutil.rmtree(into, ignore_errors=True)
    count = compare.refits if compare.refits > 1 else 0
    names = [f"refit-{i + 1}.onnx" for i in range(count)]
    groups = group_names(rows, known, params)[1] if names else []
    for i, name in enumerate(names):
        with step(f"Train anew, {i + 1} of {len(names)}"):
            drawn = draw(rows, groups, i, known.label if signed.classes else None)
            files.write(into / name, _trained(drawn, known, params, i + 1, signed))
    folds = origins(rows, known, params)
    for fold in folds:
        with step(f"Train on the rows before {fold.first}"):
            before = rows.filter(frames.days(rows[str(known.time)]) < fold.first)
            files.write(into / fold.model, _trained(before, known, params, 0, signed))
    files.write_json(into / refits.INDEX, Index(refits=names, folds=folds))


def draw(rows: pl.DataFrame, groups: list[str], which: int, label: str | None) -> pl.DataFrame:
    """Draw groups with replacement; a class that no drawn group has keeps its first row, so that all are known.

    Args:
        rows: n training rows.
        groups: n names of groups; all rows of a group are drawn equally often.
        which: another number gives another draw, the same one the same draw of each group.
        label: the column of the class, None for regression.
    """
    places = {name: unit(name, which) for name in set(groups)}
    times = refits.times(np.array([places[name] for name in groups]))
    if label is not None:
        drawn = rows.filter(pl.Series(times > 0))[label]
        firsts = rows.with_row_index("place").unique(label, keep="first", maintain_order=True)
        lost = firsts.filter(~firsts[label].is_in(drawn.unique().to_list()))["place"].to_numpy()
        times[lost] = 1
    return rows[np.repeat(np.arange(len(rows)), times)]


def origins(rows: pl.DataFrame, known: Schema, params: Params) -> list[Fold]:
    """Give `compare.folds` periods of `split.held_out_days` before the held-out one, the latest first.

    Raises:
        BadSettings: the split is not by time, or the rows do not reach back that far.
    """
    wanted, days = params.compare.folds, params.split.held_out_days
    if not wanted:
        return []
    if known.time is None or params.split.by != "time":
        raise BadSettings("params.yaml: compare.folds needs split.by time", "Set compare.folds to 0.")
    seen: list[str] = sorted(frames.days(rows[known.time]).to_list())
    last = date.fromisoformat(seen[-1])
    ends = [last + timedelta(days=1 - i * days) for i in range(wanted)]
    found = [
        Fold(f"fold-{i + 1}.onnx", (end - timedelta(days=days)).isoformat(), end.isoformat())
        for i, end in enumerate(ends)
    ]
    if seen[0] >= found[-1].first:
        raise BadSettings(
            f"params.yaml: compare.folds {wanted} of {days} days reach back before {seen[0]}, the first training day",
            "Ask for fewer folds.",
        )
    return found


def _trained(rows: pl.DataFrame, known: Schema, params: Params, more: int, signed: Signature) -> bytes:
    model, _ = fit(rows, known, params, params.seeds.train + more)
    if model.classes != signed.classes:
        raise BadSettings(
            f"params.yaml: compare.folds: the rows have the classes {', '.join(model.classes)} only, "
            f"not all of {', '.join(signed.classes)}",
            "Ask for fewer folds.",
        )
    return convert.convert(model.pipeline, signed)
