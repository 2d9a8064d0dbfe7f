"""The texts that a fitted pipeline knows: every other one is unknown to it, whatever it makes of that."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from ..bundle import Signature
from ..columns import MISSING

MOST = 1000
"""Texts of a column; of one with more, such as a name, nearly every row's is new."""


def vocabulary(pipeline: Any, signature: Signature) -> dict[str, list[str]]:
    """Give the texts that each raw column's encoder was fitted on, sorted, without the missing one.

    Only of columns that are features as they are, that an encoder with categories takes, and that are not masked: their
    texts would be in every bundle.
    """
    found: dict[str, list[str]] = {}
    for encoder, names in _encoders(pipeline):
        for name, texts in zip(names, encoder.categories_, strict=True):
            plain = name in signature.categorical and signature.table.kinds.get(name) == "text"
            if plain and name not in signature.masking and len(texts) <= MOST:
                found[name] = sorted({str(text) for text in np.asarray(texts)} - {MISSING})
    return found


def _encoders(pipeline: Any) -> Iterator[tuple[Any, list[str]]]:
    """Give the encoders of a pipeline's columns, each with the names of what it takes."""
    for step in _steps(pipeline):
        if isinstance(step, ColumnTransformer):
            for _, part, names in step.transformers_:
                first = _steps(part)[0]
                if hasattr(first, "categories_") and all(isinstance(name, str) for name in names):
                    yield first, list(names)


def _steps(part: Any) -> list[Any]:
    return [step for _, step in part.steps] if isinstance(part, Pipeline) else [part]
