"""What MLflow runs when it loads the model; the model holds a copy of this file."""

from pathlib import Path

import numpy as np
import pandas as pd

from .. import bundle, columns


def answer(loaded: bundle.Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """Predict rows of raw columns.

    Args:
        loaded: the bundle.
        frame: the signature's columns; missing values as pandas has them.

    Returns:
        `prediction`, and for classification one `probability_<class>` each, a row per row of `frame`.
    """
    raw = {}
    for column in loaded.signature.columns:
        given = frame[column.name].astype(object)
        values = given.where(given.notna(), None).tolist()
        raw[column.name] = columns.column(column.kind, values, column.name)
    scores = loaded.scores(raw)
    classes = loaded.signature.classes
    if not classes:
        return pd.DataFrame({"prediction": scores[:, 0]}, index=frame.index)
    binary = len(classes) == 2
    chosen = (scores[:, 1] >= loaded.signature.threshold).astype(int) if binary else scores.argmax(axis=1)
    predicted = np.asarray(classes, dtype=object)[chosen]
    return pd.DataFrame(
        {"prediction": predicted, **{f"probability_{name}": scores[:, i] for i, name in enumerate(classes)}},
        index=frame.index,
    )


class Served:
    """The bundle behind MLflow's `predict`."""

    def __init__(self, folder: Path) -> None:
        """Verify and load the bundle. Raises Integrity."""
        self.bundle = bundle.load(folder)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Answer a frame of raw columns, see `answer`."""
        return answer(self.bundle, frame)


def _load_pyfunc(folder: str) -> Served:
    """MLflow calls this by its name."""
    return Served(Path(folder))
