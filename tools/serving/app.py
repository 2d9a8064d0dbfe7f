"""The tuned FastAPI app that users would write by hand: a raw route, msgspec, the pickled pipeline and features.py.

    PROJECT=DIR uvicorn tools.serving.app:app

One row or a list of rows of raw columns in, `{"scores": [[...], ...]}` out.
"""

import importlib
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from fastapi import FastAPI, Request, Response
from numpy.typing import NDArray

MISSING = "(missing)"  # what the project trains on where a text is absent


@dataclass(frozen=True, slots=True)
class Model:
    """The fitted pipeline with the features that it was fitted on; `kinds` are the raw columns: number or text."""

    pipeline: Any
    classes: Sequence[str]
    kinds: Mapping[str, str]
    features: Callable[[dict[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]
    numeric: Sequence[str]
    categorical: Sequence[str]

    def columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Give the raw columns of rows, shape (n,) each."""
        return {name: column(kind, [row.get(name) for row in rows]) for name, kind in self.kinds.items()}

    def scores(self, raw: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Give shape (n, classes) probabilities, or (n, 1) values."""
        made = self.features(raw)
        numbers = {name: np.asarray(made[name], dtype=np.float32) for name in self.numeric}
        texts = {name: pl.Series(name, made[name], dtype=pl.String) for name in self.categorical}
        frame = pl.DataFrame(numbers | texts)
        found = self.pipeline.predict_proba(frame) if self.classes else self.pipeline.predict(frame)
        return np.asarray(found, dtype=np.float64).reshape(len(frame), -1)


def column(kind: str, values: list[Any]) -> NDArray[Any]:
    """Give the values as features.py takes them."""
    if kind == "number":
        return np.array(values, dtype=np.float64)  # None is NaN
    return np.array([MISSING if value is None else value for value in values], dtype=object)


def load(project: Path) -> Model:
    """Load what the project trained."""
    sys.path.insert(0, str(project / "src"))
    yours = importlib.import_module("model.features")
    kept = pickle.loads((project / "results/estimator.pkl").read_bytes())  # noqa: S301 - the project's own training
    signature = msgspec.json.decode((project / "bundle/signature.json").read_bytes())
    kinds = {one["name"]: one["kind"] for one in signature["columns"]}
    return Model(kept["pipeline"], kept["classes"], kinds, yours.features, yours.NUMERIC, yours.CATEGORICAL)


def application(model: Model) -> FastAPI:
    """Give the app."""
    made = FastAPI(openapi_url=None)
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode

    async def predict(request: Request) -> Response:
        body = decode(await request.body())
        scores = model.scores(model.columns(body if isinstance(body, list) else [body]))
        return Response(encode({"scores": scores.tolist()}), media_type="application/json")

    made.add_route("/predict", predict, methods=["POST"])
    return made


def __getattr__(name: str) -> FastAPI:
    """Give uvicorn the app of the folder PROJECT."""
    if name == "app":
        return application(load(Path(os.environ["PROJECT"])))
    raise AttributeError(name)
