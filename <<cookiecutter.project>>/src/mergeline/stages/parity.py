"""The proof that the bundle answers as training did: on all held-out rows, and however rows are sent."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import frames
from ..bundle import Bundle, matrices, raw_from_rows
from ..columns import Raw
from ..config import Params
from ..errors import NotServable
from . import convert, suspect
from .schema import Schema
from .table import Fitted, features

SINGLE = 1000


def prove(served: Bundle, model: Fitted, rows: pl.DataFrame, known: Schema, params: Params) -> dict[str, Any]:
    """Compare every score and every feature. Raises NotServable naming the row, the suspect step and the remedy."""
    raw = frames.raw(rows, known.request)
    made = features(raw)
    wanted, found = model.scores(made), served.scores(raw)
    gaps = np.abs(wanted - found) / scale(wanted, model)
    worst = np.nan_to_num(gaps, nan=np.inf).max(axis=1)
    flips = _called(wanted, params, model) != _called(found, params, model)
    apart = worst > params.export.tolerance
    if apart.any() or flips.sum() > params.export.max_flips:
        row = int(worst.argmax() if apart.any() else flips.argmax())
        step = suspect.find(model, served.signature, made)
        raise NotServable(
            f"bundle/ disagrees with training on {int((apart | flips).sum())} of {len(rows)} held-out rows, for example "
            f"{rows[known.row_id][row]}: {wanted[row, -1]:.6f} in training, {found[row, -1]:.6f} served; "
            f"suspect step: {type(step).__name__}",
            convert.remedy(step),
        )
    _independent(served, model, raw, rows, known, params)
    return {
        "rows": len(rows),
        "largest_difference": float(worst.max()),
        "flips": int(flips.sum()),
        "tolerance": params.export.tolerance,
        "max_flips": params.export.max_flips,
        "rows_one_by_one": min(SINGLE, len(rows)),
    }


def scale(scores: NDArray[np.float64], model: Fitted) -> NDArray[np.float64]:
    """Give what a difference is measured in: 1 for probabilities, else the value's size, at least the values' spread.

    float32 has seven digits, so 200 minutes cannot agree to 1e-5 minutes.
    """
    if model.classes:
        return np.ones(1)
    return np.maximum(np.abs(scores), max(float(scores.std()), float(np.finfo(np.float32).tiny)))


def _called(scores: NDArray[np.float64], params: Params, model: Fitted) -> NDArray[Any]:
    if not model.classes:
        return np.zeros(len(scores))
    return scores[:, 1] >= model.operating(params) if scores.shape[1] == 2 else scores.argmax(axis=1)


def _independent(served: Bundle, model: Fitted, raw: Raw, rows: pl.DataFrame, known: Schema, params: Params) -> None:
    """Refuse features that depend on the other rows: one by one, shuffled and as a table they give equal bytes."""
    chosen = np.random.default_rng(params.seeds.split).permutation(len(rows))[:SINGLE]
    table = {name: values[chosen] for name, values in raw.items()}
    signature = served.signature
    numbers, texts = matrices(served.features, signature.numeric, signature.categorical, table)
    scores = served.scores(table)
    requests = list(rows[chosen].select(c.name for c in signature.columns).iter_rows(named=True))
    order = np.random.default_rng(params.seeds.train).permutation(len(chosen))
    shuffled = raw_from_rows(signature, [requests[i] for i in order])
    parts = [(order, shuffled)]
    parts += [(np.array([i]), raw_from_rows(signature, [request])) for i, request in enumerate(requests)]
    for places, part in parts:
        some_numbers, some_texts = matrices(served.features, signature.numeric, signature.categorical, part)
        same = some_numbers.tobytes() == numbers[places].tobytes() and (some_texts == texts[places]).all()
        gaps = np.abs(served.scores(part) - scores[places]) / scale(scores, model)[places if not model.classes else 0]
        if not same or not (gaps <= params.export.tolerance).all():
            name = rows[known.row_id][int(chosen[places[0]])]
            column = _differing(
                signature.numeric, signature.categorical, some_numbers, numbers[places], some_texts, texts[places]
            )
            raise NotServable(
                f"src/model/features.py gives {'other features' if not same else 'another score'} for row {name} "
                f"alone than in a table; suspect: {column}",
                "Let each row depend on itself alone: no mean, sort or cumulative sum over the column.",
            )


def _differing(
    numeric: list[str],
    categorical: list[str],
    some_numbers: NDArray[Any],
    numbers: NDArray[Any],
    some_texts: NDArray[Any],
    texts: NDArray[Any],
) -> str:
    for i, name in enumerate(numeric):
        if some_numbers[:, i].tobytes() != numbers[:, i].tobytes():
            return f"feature {name}"
    for i, name in enumerate(categorical):
        if (some_texts[:, i] != texts[:, i]).any():
            return f"feature {name}"
    return "the estimator"
