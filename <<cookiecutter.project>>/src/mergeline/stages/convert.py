"""The fitted pipeline as ONNX with two inputs: `numbers` float32 (n, k) and `texts` string (n, m)."""

import copy
import warnings
from typing import Any

from ..bundle import NUMBERS, TEXTS, Signature

TREES = "Encode text by OrdinalEncoder or OneHotEncoder, and leave categorical_features and scalers out."
REMEDIES = {
    "DecisionTreeClassifier": "Use HistGradientBoostingClassifier: many small trees do not hang on one threshold.",
    "DecisionTreeRegressor": "Use HistGradientBoostingRegressor: many small trees do not hang on one threshold.",
    "FunctionTransformer": "Write the function in src/model/features.py.",
    "HistGradientBoostingClassifier": TREES,
    "HistGradientBoostingRegressor": TREES,
    "OneHotEncoder": "Leave min_frequency and max_categories out, or use OrdinalEncoder.",
    "SimpleImputer": "Leave add_indicator out; fill text in src/model/features.py.",
    "SplineTransformer": "Use KBinsDiscretizer, or write the curve in src/model/features.py.",
    "VotingClassifier": "Use StackingClassifier.",
}
OTHERWISE = "docs/estimators.md says what works and what to write instead."


def remedy(step: Any) -> str:
    """Give what to write instead of a step that does not convert or does not agree."""
    return REMEDIES.get(type(step).__name__, OTHERWISE)


def convert(pipeline: Any, signature: Signature) -> bytes:
    """Convert a fitted pipeline, or the first steps of one; equal ones give equal bytes.

    skl2onnx raises dozens of kinds of errors for what it cannot convert.
    """
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
