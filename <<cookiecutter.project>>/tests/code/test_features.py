"""src/model/features.py works on each row alone, whatever is missing."""

import numpy as np

from mergeline.columns import Raw
from model.features import CATEGORICAL, NUMERIC, features


def test_every_named_feature_has_one_value_per_row(flights: Raw) -> None:
    made = features(flights)

    for name in (*NUMERIC, *CATEGORICAL):
        assert made[name].shape == (200,), name


def test_a_row_alone_has_the_same_features_as_in_a_table(flights: Raw) -> None:
    together = features(flights)

    for row in range(20):
        alone = features({name: values[row : row + 1] for name, values in flights.items()})
        for name in (*NUMERIC, *CATEGORICAL):
            assert np.array_equal(alone[name], together[name][row : row + 1], equal_nan=name in NUMERIC), name


def test_a_flight_of_which_nothing_is_known_has_features(flights: Raw) -> None:
    nothing = {
        name: np.array(["(missing)"], dtype=object) if values.dtype == object else np.array([np.nan])
        for name, values in flights.items()
    }

    assert set(features(nothing)) >= {*NUMERIC, *CATEGORICAL}


def test_a_flight_over_midnight_takes_no_negative_time(flights: Raw) -> None:
    made = features(flights | {"departure_minute": np.full(200, 1430.0), "arrival_minute": np.full(200, 100.0)})

    assert (made["planned_minutes"] == 110).all()
