from collections.abc import Callable

import polars as pl
import pytest

from mergeline import metrics
from mergeline.bundle import Bundle
from mergeline.compare import judge, noise
from mergeline.compare.judge import Names, Unit
from mergeline.compare.noise import Anew
from mergeline.statistics import Estimate

BY_DAY = Unit("day", by_day=False)
MEAN = Estimate(0.03, 0.01, 30)

MakeBundle = Callable[..., Bundle]


def numbers(*values: float) -> list:  # type: ignore[type-arg]
    return [pl.Series([value]).to_numpy() for value in values]


def test_what_both_models_gain_from_other_rows_is_no_noise_of_their_difference() -> None:
    found = noise.add(MEAN, Anew(numbers(0.71, 0.75, 0.70), numbers(0.70, 0.74, 0.69)), lambda s, _: float(s[0]))

    assert found.noise == pytest.approx(0, abs=1e-12)
    assert (found.noise_freedom, found.value) == (2, 0.03)


def test_noise_is_the_spread_of_the_differences() -> None:
    found = noise.add(MEAN, Anew(numbers(0.71, 0.75, 0.73), numbers(0.70, 0.70, 0.70)), lambda s, _: float(s[0]))

    assert found.noise == pytest.approx(0.02)


def test_the_bases_noise_stands_for_both_where_the_candidate_was_not_trained_anew() -> None:
    anew = Anew([], numbers(0.70, 0.74, 0.72))

    assert anew.source == "of the base"
    assert noise.add(MEAN, anew, lambda s, _: float(s[0])).noise == pytest.approx(0.02 * 2**0.5)


def test_one_model_measures_no_noise() -> None:
    anew = Anew(numbers(0.7), numbers(0.7))

    assert anew.source == "not measured"
    assert noise.add(MEAN, anew, lambda s, _: float(s[0])) is MEAN


def test_models_trained_anew_widen_a_verdicts_interval(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    base, candidate = make_bundle({"hour": 0.5}), make_bundle({"hour": 0.5, "wind": 1.5})
    others = [make_bundle({"hour": 0.5, "wind": wind}) for wind in (0.1, 1.0, 3.0)]

    quiet = judge.score(rows, candidate, base, names, BY_DAY)
    noisy = judge.score(rows, candidate, base, names, BY_DAY, anew=([base] * 3, others))

    before, after = (judge.difference("roc_auc", scored)[2] for scored in (quiet, noisy))
    assert after.value == before.value
    assert after.standard_error == before.standard_error
    assert after.noise > 0.01
    assert noisy.anew.source == "of both"
    assert metrics.ALL["roc_auc"].gain(after.interval()[0]) < before.interval()[0]
