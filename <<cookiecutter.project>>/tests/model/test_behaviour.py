"""The trained model behaves as a person who knows the matter expects."""

import numpy as np

from mergeline.bundle import Bundle
from mergeline.columns import Raw


def test_evening_flights_are_later_than_morning_flights(trained: Bundle, flights: Raw) -> None:
    morning, evening = (
        trained.score(flights | {"departure_minute": np.full(200, at), "arrival_minute": np.full(200, at + 90)})
        for at in (400.0, 1140.0)
    )

    assert evening.mean() > morning.mean()


def test_the_order_of_rows_does_not_matter(trained: Bundle, flights: Raw) -> None:
    backwards = trained.score({name: values[::-1] for name, values in flights.items()})

    assert np.array_equal(backwards[::-1], trained.score(flights))


def test_an_unknown_airport_is_answered(trained: Bundle, flights: Raw) -> None:
    scores = trained.score(flights | {"dest": np.full(200, "ZZZ", dtype=object)})

    assert np.isfinite(scores).all()
