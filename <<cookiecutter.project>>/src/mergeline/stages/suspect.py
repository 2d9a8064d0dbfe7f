"""Which step of a pipeline is it that does not convert, does not run, or does not agree."""

import copy
from typing import Any

import numpy as np
import onnxruntime as ort
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from ..bundle import NUMBERS, TEXTS, Signature
from ..errors import NotServable
from . import convert
from .table import Fitted

ROWS = 1000
CLOSE = 1e-5


def find(model: Fitted, signature: Signature, made: pl.DataFrame) -> Any:
    """Give the first step whose ONNX output on some rows of features is not its own output; else the last."""
    some = made.head(ROWS)
    steps = [step for _, step in model.pipeline.steps]
    for count, step in enumerate(steps[:-1], start=1):
        before = Pipeline(model.pipeline.steps[:count])
        if not _agrees(before, before.transform(some), signature, some):
            return _column(step, signature, some) if isinstance(step, ColumnTransformer) else step
    return steps[-1]


def refusal(model: Fitted, signature: Signature, made: pl.DataFrame, what: str, error: Exception) -> NotServable:
    """Make the error that names the suspect step."""
    step = find(model, signature, made)
    reason = " ".join(str(error).split())
    return NotServable(
        f"src/model/estimator.py {what}; suspect step: {type(step).__name__}. It says: {reason:.150}",
        convert.remedy(step),
    )


def _column(columns: ColumnTransformer, signature: Signature, some: pl.DataFrame) -> Any:
    for part in columns.transformers_:
        _, step, names = part
        if isinstance(step, str) or not len(names):
            continue
        alone = copy.copy(columns)
        alone.transformers_ = [part]
        if not _agrees(alone, step.transform(some.select(names)), signature, some):
            return step.steps[-1][1] if isinstance(step, Pipeline) else step
    return columns


def _agrees(part: Any, wanted: Any, signature: Signature, some: pl.DataFrame) -> bool:
    feed = {
        NUMBERS: some.select(signature.numeric).to_numpy().astype(np.float32),
        TEXTS: some.select(signature.categorical).to_numpy().astype(object),
    }
    dense = wanted.toarray() if hasattr(wanted, "toarray") else np.asarray(wanted)
    try:
        session = ort.InferenceSession(convert.convert(part, signature), providers=["CPUExecutionProvider"])
        found = session.run(None, {i.name: feed[i.name] for i in session.get_inputs()})[0]
        return bool(np.allclose(found, dense.astype(np.float64), atol=CLOSE, equal_nan=True))
    except Exception:  # whatever it is, this part is the one that fails
        return False
