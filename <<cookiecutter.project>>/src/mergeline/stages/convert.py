"""The fitted pipeline as ONNX with two inputs: `numbers` float32 (n, k) and `texts` string (n, m)."""

import copy
import warnings
from typing import Any

from ..bundle import NUMBERS, TEXTS, Signature
from ..errors import NotServable
from .table import Fitted

REMEDIES = {
    "FunctionTransformer": "Write the function in src/model/features.py.",
    "SimpleImputer": "Fill text in src/model/features.py; trees take missing numbers as they are.",
    "StandardScaler": "Leave the scaler out before trees, or use RobustScaler.",
    "TargetEncoder": "Use OrdinalEncoder or OneHotEncoder.",
    "OneHotEncoder": "Use it without min_frequency and max_categories, or use OrdinalEncoder.",
    "SplineTransformer": "Write the curve in src/model/features.py, or use KBinsDiscretizer.",
    "CalibratedClassifierCV": "Use an estimator that is calibrated by itself, such as gradient boosting.",
    "TunedThresholdClassifierCV": "Set threshold.value in params.yaml instead.",
    "HistGradientBoostingClassifier": "Encode text by OrdinalEncoder and leave categorical_features out.",
    "HistGradientBoostingRegressor": "Encode text by OrdinalEncoder and leave categorical_features out.",
    "RandomForestClassifier": "Use HistGradientBoostingClassifier, or raise export.tolerance in params.yaml.",
}
OTHERWISE = "Use another transformer or estimator; docs/model-card.md has the table of what converts."


def remedy(step: Any) -> str:
    """Give what to write instead of a step that does not convert or does not agree."""
    return REMEDIES.get(type(step).__name__, OTHERWISE)


def to_onnx(model: Fitted, signature: Signature) -> bytes:
    """Convert. Equal pipelines give equal bytes. Raises NotServable naming the step."""
    try:
        return convert(model.pipeline, signature)
    except Exception as error:  # skl2onnx raises dozens of kinds, all of which mean: this cannot be served
        step = _suspect(model.pipeline, signature)
        reason = " ".join(str(error).split())
        raise NotServable(
            f"src/model/estimator.py: step {type(step).__name__} does not convert to ONNX: {reason:.200}", remedy(step)
        ) from error


def convert(pipeline: Any, signature: Signature) -> bytes:
    """Convert a fitted pipeline, or the first steps of one."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    numbers, texts = len(signature.numeric), len(signature.categorical)
    inputs = [(NUMBERS, FloatTensorType([None, numbers]))] if numbers else []
    inputs += [(TEXTS, StringTensorType([None, texts]))] if texts else []
    placed = by_position(pipeline, [*signature.numeric, *signature.categorical])
    options = {"zipmap": False} if hasattr(pipeline, "predict_proba") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # skl2onnx's own deprecations; the parity proof is what counts
        made = convert_sklearn(placed, "model", inputs, options={id(placed): options} if options else None)
    # skl2onnx lists them in the order of a set: another one in each process.
    made.opset_import.sort(key=lambda opset: opset.domain)
    return bytes(made.SerializeToString(deterministic=True))


def by_position(pipeline: Any, names: list[str]) -> Any:
    """Give a copy whose ColumnTransformer picks columns by place: the graph's inputs have no names of columns."""
    from sklearn.compose import ColumnTransformer

    placed = copy.deepcopy(pipeline)
    first = placed.steps[0][1] if hasattr(placed, "steps") else placed
    if isinstance(first, ColumnTransformer):
        place = {name: i for i, name in enumerate(names)}
        first.transformers_ = [
            (name, step, [place[c] if isinstance(c, str) else c for c in columns])
            for name, step, columns in first.transformers_
            if len(columns)
        ]
    return placed


def _suspect(pipeline: Any, signature: Signature) -> Any:
    """Find the first step that does not convert, looking into a ColumnTransformer; else the last."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    steps = [step for _, step in getattr(pipeline, "steps", [("", pipeline)])]
    for count, step in enumerate(steps, start=1):
        try:
            convert(Pipeline(pipeline.steps[:count]), signature)
        except Exception:
            if isinstance(step, ColumnTransformer):
                return _suspect_column(step, signature)
            return step
    return steps[-1]


def _suspect_column(columns: Any, signature: Signature) -> Any:
    for part in columns.transformers_:
        alone = copy.copy(columns)
        alone.transformers_ = [part]
        try:
            convert(alone, signature)
        except Exception:
            return columns if isinstance(part[1], str) else part[1]
    return columns
