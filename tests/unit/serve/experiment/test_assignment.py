import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mergeline.serve.experiment import assignment

MANY = [f"customer-{i}" for i in range(20_000)]


def test_the_places_of_keys_are_uniform() -> None:
    places = np.array([assignment.place("r2", key) for key in MANY])

    found, _ = np.histogram(places, bins=20, range=(0, 1))
    # Pearson's chi-squared with 19 degrees of freedom: 43.8 is its quantile at 0.999.
    assert ((found - 1000) ** 2 / 1000).sum() < 43.8


def test_two_experiments_part_the_same_keys_independently() -> None:
    one, two = (assignment.rows(release, 0.5, MANY) for release in ("r2", "r3"))

    assert abs((one & two).mean() - 0.25) < 0.01


def test_a_key_keeps_its_place_in_every_process_and_version() -> None:
    assert assignment.place("r2", "customer-7") == 0.5494743181384012


@given(st.floats(0, 1), st.floats(0, 1), st.lists(st.text(), min_size=1, max_size=20))
@settings(max_examples=50)
def test_a_larger_share_keeps_every_key_of_a_smaller_one(one: float, two: float, keys: list[str]) -> None:
    small, large = (assignment.rows("r2", share, keys) for share in sorted((one, two)))

    assert not (small & ~large).any()


def test_a_share_of_one_takes_all_and_equal_keys_go_together() -> None:
    assert assignment.rows("r2", 1.0, MANY).all()
    assert len(set(assignment.rows("r2", 0.5, ["a"] * 9).tolist())) == 1


def test_a_header_goes_before_the_column_and_a_missing_value_falls_back_to_the_request() -> None:
    values = np.array(["a", "", None], dtype=object)

    assert assignment.keys(values, 3, "request", "") == ["a", "request", "request"]
    assert assignment.keys(values, 3, "request", "me") == ["me"] * 3
    assert assignment.keys(None, 2, "request", "") == ["request"] * 2
    assert assignment.keys(np.array([1.5, np.nan]), 2, "request", "") == ["1.5", "request"]
    assert assignment.keys(np.array(["2020", "NaT"], dtype="datetime64[us]"), 2, "request", "")[1] == "request"
