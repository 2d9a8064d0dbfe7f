"""Raw rows to features, by src/model/features.py, and the fitted pipeline that scores them."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..bundle import matrices
from ..columns import Raw
from ..config import Params
from ..errors import RepositoryTrouble, your_code
from ..frames import raw
from .schema import Schema

ESTIMATOR = "results/estimator.pkl"


def features(rows: Raw) -> pl.DataFrame:
    """Give the frame that the pipeline is fitted on: NUMERIC as Float32, then CATEGORICAL as String.

    Raises:
        BrokenCode: features.py cannot be imported.
        BadData: features.py asks for a column that schema.py does not have, or gives what it must not.
    """
    with your_code("features.py"):
        from model import features as yours

    numbers, texts = matrices(yours.features, yours.NUMERIC, yours.CATEGORICAL, rows)
    made = [pl.Series(name, numbers[:, i]) for i, name in enumerate(yours.NUMERIC)]
    return pl.DataFrame([*made, *(pl.Series(n, texts[:, i], dtype=pl.String) for i, n in enumerate(yours.CATEGORICAL))])


def feature_frame(frame: pl.DataFrame, known: Schema) -> pl.DataFrame:
    """Give the features of raw rows. See `features`."""
    return features(raw(frame, known.request))


@dataclass(frozen=True, slots=True)
class Fitted:
    """The fitted pipeline, and the classes in the order of its probabilities (empty for regression).

    `threshold` is what training chose; None where params.yaml has a fixed one.
    """

    pipeline: Any
    classes: list[str]
    threshold: float | None = None

    def operating(self, params: Params) -> float:
        """Give the probability of the second class from which a row is called so."""
        return params.threshold.value if self.threshold is None else self.threshold

    def scores(self, made: pl.DataFrame) -> NDArray[np.float64]:
        """Give shape (n, classes) probabilities, or (n, 1) values, of a frame of features."""
        answer = self.pipeline.predict_proba(made) if self.classes else self.pipeline.predict(made)
        return np.asarray(answer, dtype=np.float64).reshape(len(made), -1)


def fitted(root: Path) -> Fitted:
    """Load results/estimator.pkl, which this repository's own training wrote. Raises RepositoryTrouble."""
    try:
        found = pickle.loads((root / ESTIMATOR).read_bytes())  # noqa: S301  our own file, checked by DVC's hash
        return Fitted(found["pipeline"], found["classes"], found["threshold"])
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RepositoryTrouble(f"{ESTIMATOR} cannot be read: {reason:.200}", "Run `dvc repro train`.") from error
