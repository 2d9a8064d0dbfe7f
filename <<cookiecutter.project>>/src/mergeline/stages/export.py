"""Convert the model to a lean bundle, bound its size, and prove that it answers as training did, row by row."""

import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from .. import bundle, config, files, frames
from ..bundle import Column, Signature, Smoke
from ..config import Params
from ..errors import BadData, NotServable, your_code
from ..progress import step
from . import convert, lean, parity, smoke, suspect, vocabulary
from .schema import HELD_OUT, Schema, schema
from .table import Fitted, feature_frame, fitted

FEATURES = "src/model/features.py"


def run(root: Path) -> None:
    """Write bundle/ and results/parity.json.

    Raises:
        NotServable: the answers differ (it names row, suspect step and remedy), or the model is larger than
            `export.compress.max_bytes`.
    """
    params, known, model = config.of_stage(root), schema(), fitted(root)
    bundle.check_imports(root / FEATURES)
    held_out = frames.read(root / HELD_OUT, known.dtypes)
    made = root / f".bundle.{os.getpid()}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        with step("Convert the pipeline to ONNX"):
            signed = signature(root, params, known, model)
            if texts := vocabulary.vocabulary(model.pipeline, signed):
                signed = msgspec.structs.replace(signed, known=texts)
            features = feature_frame(held_out, known)
            try:
                graph = convert.convert(model.pipeline, signed)
            except Exception as error:
                raise suspect.refusal(model, signed, features, "does not convert to ONNX", error) from error
            graph = lean.lean(graph)
            bounded(len(graph), params)
            (made / bundle.MODEL).write_bytes(graph)
            (made / bundle.FEATURES).write_bytes((root / FEATURES).read_bytes())
            files.write_json(made / bundle.SIGNATURE, signed)
        with step(f"Prove equal answers on {len(held_out):,} rows"):
            try:
                proof = sealed(made, signed, model, held_out, known, params)
            except (NotServable, BadData):
                raise
            except Exception as error:  # onnxruntime has its own classes, with no base but Exception
                what = "converts to ONNX, but does not run there"
                raise suspect.refusal(model, signed, features, what, error) from error
        shutil.rmtree(root / "bundle", ignore_errors=True)
        made.rename(root / "bundle")
    finally:
        shutil.rmtree(made, ignore_errors=True)
    files.write_json(root / "results/parity.json", proof)


def bounded(size: int, params: Params) -> None:
    """Refuse a model of more bytes than `export.compress.max_bytes`. Raises NotServable."""
    most = params.export.compress.max_bytes
    if most is not None and size > most:
        raise NotServable(
            f"bundle/{bundle.MODEL} would have {size:,} bytes, more than the {most:,} of export.compress.max_bytes "
            "in params.yaml",
            "Run `model compress`, which looks for smaller settings that are as good, or raise the limit.",
        )


def signature(root: Path, params: Params, known: Schema, model: Fitted) -> Signature:
    """Say what a request carries and what an answer means."""
    with your_code("features.py"):
        from model import features as yours

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    masked = {name: how for name, how in known.masked.items() if name in known.request}
    return Signature(
        name=project,
        task=params.task,
        label=known.label,
        columns=[Column(name, kind) for name, kind in known.request.items()],
        numeric=list(yours.NUMERIC),
        categorical=list(yours.CATEGORICAL),
        classes=model.classes,
        threshold=model.operating(params),
        masked=masked or msgspec.UNSET,
    )


def sealed(
    folder: Path, signed: Signature, model: Fitted, held_out: pl.DataFrame, known: Schema, params: Params
) -> dict[str, Any]:
    """Seal a folder with made rows and their scores, and give the proof that it answers as training did."""
    rows = smoke.rows(held_out, signed)
    _seal(folder, Smoke(rows, []))
    scores = bundle.load(folder).scores(bundle.raw_from_rows(signed, rows))
    _seal(folder, Smoke(rows, scores.tolist()))
    return parity.prove(bundle.load(folder), model, held_out, known, params)


def _seal(folder: Path, made: Smoke) -> None:
    (folder / bundle.SMOKE).write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    bundle.seal(folder)
