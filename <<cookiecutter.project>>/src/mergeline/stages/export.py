"""Convert the model to a bundle and prove that it answers as training did, row by row."""

import os
import shutil
import tomllib
from pathlib import Path

import msgspec

from .. import bundle, config, files, frames
from ..bundle import Column, Signature, Smoke
from ..config import Params
from ..progress import step
from . import convert, parity, smoke
from .schema import HELD_OUT, Schema, schema
from .table import Fitted, fitted

FEATURES = "src/model/features.py"


def run(root: Path) -> None:
    """Write bundle/ and results/parity.json. Raises NotServable naming row, suspect step and remedy."""
    params, known, model = config.of_stage(root), schema(), fitted(root)
    bundle.check_imports(root / FEATURES)
    held_out = frames.read(root / HELD_OUT)
    made = root / f".bundle.{os.getpid()}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        with step("Convert the pipeline to ONNX"):
            signed = signature(root, params, known, model)
            (made / bundle.MODEL).write_bytes(convert.to_onnx(model, signed))
            (made / bundle.FEATURES).write_bytes((root / FEATURES).read_bytes())
            files.write_json(made / bundle.SIGNATURE, signed)
        with step(f"Prove equal answers on {len(held_out):,} rows"):
            rows = smoke.rows(held_out, signed)
            seal(made, Smoke(rows, []))
            scores = bundle.load(made, threads=1).scores(bundle.raw_from_rows(signed, rows))
            seal(made, Smoke(rows, scores.tolist()))
            proof = parity.prove(bundle.load(made, threads=1), model, held_out, known, params)
        shutil.rmtree(root / "bundle", ignore_errors=True)
        made.rename(root / "bundle")
    finally:
        shutil.rmtree(made, ignore_errors=True)
    files.write_json(root / "results/parity.json", proof)


def signature(root: Path, params: Params, known: Schema, model: Fitted) -> Signature:
    """Say what a request carries and what an answer means."""
    from model import features as yours

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    return Signature(
        name=project,
        task=params.task,
        label=known.label,
        columns=[Column(name, kind) for name, kind in known.request.items()],
        numeric=list(yours.NUMERIC),
        categorical=list(yours.CATEGORICAL),
        classes=model.classes,
        threshold=params.threshold.value,
    )


def seal(folder: Path, made: Smoke) -> None:
    """Write smoke.json and the index."""
    (folder / bundle.SMOKE).write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    bundle.seal(folder)
