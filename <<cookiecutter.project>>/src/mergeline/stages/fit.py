"""Fit what src/model/estimator.py gives on raw rows: the model that is served, and the same recipe trained anew."""

from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any

import polars as pl
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_limits

from ..config import Params
from ..errors import BadData, BadSettings, your_code
from .schema import Schema, classes, targets
from .table import Fitted, feature_frame


def fit(rows: pl.DataFrame, known: Schema, params: Params, seed: int) -> tuple[Fitted, float]:
    """Give the fitted pipeline and the seconds that the fit itself took.

    Raises:
        BadData: one class only, a feature that is missing in all rows, or a fit that fails.
        BadSettings: the section `model` of params.yaml is not what the estimator takes.
        BrokenCode: src/model/ cannot be imported or run.
    """
    labels = rows[known.label]
    names = classes(labels) if params.task == "classification" else []
    if params.task == "classification" and len(names) < 2:
        raise BadData(
            f"column {known.label}: all {len(rows)} training rows have the label {names[0] if names else 'missing'}",
            "Train on rows of both classes: widen the data or change split.",
        )
    wanted = targets(labels, params.task, names)
    made = feature_frame(rows, known)
    if empty := [name for name in made.columns if made[name].dtype == pl.Float32 and made[name].is_nan().all()]:
        raise BadData(
            f"feature {', '.join(empty)}: missing in all {len(rows)} training rows",
            "Mend the data, or leave it out of NUMERIC in src/model/features.py.",
        )
    pipeline = unfitted(params, seed)
    begun = perf_counter()
    # BLAS sums in another order with another number of threads.
    with threadpool_limits(1, user_api="blas"), your_code("estimator.py"):
        try:
            pipeline.fit(made, wanted)
        except InvalidParameterError as error:
            key = next((f".{key}" for key, value in params.model.items() if f"Got {value!r} " in str(error)), "")
            raise BadSettings(f"params.yaml: model{key}: {error}") from error
        except (TypeError, ValueError) as error:
            raise BadData(f"src/model/estimator.py: the fit fails: {' '.join(str(error).split()):.300}") from error
    return Fitted(pipeline, names), perf_counter() - begun


class Section(Mapping[str, Any]):
    """The section `model` of params.yaml, which keeps what was read of it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


def unfitted(params: Params, seed: int) -> Any:
    """Ask src/model/estimator.py for its pipeline.

    Raises:
        BadSettings: it wants another section `model` than params.yaml has, or never reads one of its keys.
        BrokenCode: it cannot be imported or run.
    """
    section: Any = Section(params.model)
    with your_code("estimator.py"):
        from model.estimator import estimator

        try:
            pipeline = estimator(section, seed)
        except KeyError as error:
            raise BadSettings(
                f"params.yaml: model has no {error}, which src/model/estimator.py asks for; it has: {_list(params.model)}"
            ) from error
        except (TypeError, ValueError) as error:
            raise BadSettings(f"params.yaml: model: src/model/estimator.py refuses it: {error!r:.300}") from error
    if unread := params.model.keys() - section.read:
        raise BadSettings(
            f"params.yaml: model.{_list(unread)}: src/model/estimator.py never reads it; it reads: {_list(section.read)}",
            "Correct the key, or remove it.",
        )
    return pipeline


def _list(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing"
