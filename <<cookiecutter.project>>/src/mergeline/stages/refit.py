"""Train the recipe anew, to see how much the metrics move by themselves, and from earlier days on, to judge more periods.

What is trained here is never served: `model compare` alone reads it.
"""

import shutil
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl

from .. import bundle, config, files, frames, refits
from ..bundle import Signature
from ..config import Params
from ..errors import BadSettings
from ..progress import step
from ..refits import Fold, Index
from . import convert
from .fit import fit
from .groups import names as group_names
from .schema import TRAIN, Schema, schema
from .split import unit

HALF = 0.5
SIGNED = f"bundle/{bundle.SIGNATURE}"


def run(root: Path) -> None:
    """Write results/refits/. Raises BadData, BadSettings."""
    params, known = config.of_stage(root), schema()
    compare = params.compare
    signed = msgspec.json.decode((root / SIGNED).read_bytes(), type=Signature)
    rows = frames.read(root / TRAIN, known.dtypes)
    into = root / refits.FOLDER
    shutil.rmtree(into, ignore_errors=True)
    count = compare.refits if compare.refits > 1 else 0
    names = [f"refit-{i + 1}.onnx" for i in range(count)]
    groups = group_names(rows, known, params)[1] if names else []
    for i, name in enumerate(names):
        with step(f"Train anew, {i + 1} of {len(names)}"):
            some = half(rows, groups, i, known.label if signed.classes else None)
            files.write(into / name, _trained(some, known, params, i + 1, signed))
    folds = origins(rows, known, params)
    for fold in folds:
        with step(f"Train on the rows before {fold.first}"):
            before = rows.filter(frames.days(rows[str(known.time)]) < fold.first)
            files.write(into / fold.model, _trained(before, known, params, 0, signed))
    files.write_json(into / refits.INDEX, Index(refits=names, folds=folds))


def half(rows: pl.DataFrame, groups: list[str], which: int, label: str | None) -> pl.DataFrame:
    """Give the rows of a random half of the groups; a class that it lacks keeps its first row, so that all are known.

    Args:
        rows: n training rows.
        groups: n names of groups; all rows of a group go together.
        which: another number gives another half, the same one the same side for each group.
        label: the column of the class, None for regression.
    """
    sides = {name: unit(name, which) < HALF for name in set(groups)}
    chosen = pl.Series([sides[name] for name in groups], dtype=pl.Boolean)
    if label is not None:
        there = rows.filter(chosen)[label].unique().to_list()
        chosen |= rows.select(~pl.col(label).is_in(there) & pl.col(label).is_first_distinct()).to_series()
    return rows.filter(chosen)


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
