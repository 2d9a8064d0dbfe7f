"""src/model/estimator.py fits, and finds what is plainly there."""

from pathlib import Path

import numpy as np

from mergeline import config
from mergeline.columns import Raw
from mergeline.stages.table import features
from model.estimator import estimator


def test_learns_that_later_departures_arrive_later(flights: Raw) -> None:
    params = config.params(Path(__file__).parents[2])
    minutes = flights["departure_minute"]
    labels = (minutes > 900).astype(int) if params.task == "classification" else minutes / 10

    pipeline = estimator(params.model, seed=7).fit(features(flights), labels)

    early, late = (features(flights | {"departure_minute": np.full(200, minute)}) for minute in (400.0, 1300.0))
    assert pipeline.predict(late).mean() > pipeline.predict(early).mean()
