"""The scikit-learn pipeline, unfitted. It must convert to ONNX with equal answers: `model export` proves it."""

from collections.abc import Mapping
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from .features import CATEGORICAL, NUMERIC


def estimator(params: Mapping[str, Any], seed: int) -> Pipeline:
    """Give a pipeline over a frame with the columns of NUMERIC (float32) and CATEGORICAL (text).

    Args:
        params: the section `model` of params.yaml; a key that is never read here is refused as a slip of the pen.
        seed: for every random choice of the fit.
    """
    # Trees take numbers and missing values as they are; a scaler before them would break the parity with ONNX.
    columns = ColumnTransformer(
        [
            ("numbers", "passthrough", list(NUMERIC)),
            ("texts", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), list(CATEGORICAL)),
        ]
    )
    trees = HistGradientBoostingRegressor(
        max_iter=params["iterations"],
        learning_rate=params["learning_rate"],
        max_leaf_nodes=params["max_leaf_nodes"],
        early_stopping=False,
        random_state=seed,
    )
    return Pipeline([("columns", columns), ("trees", trees)])
