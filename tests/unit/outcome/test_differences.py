"""Intervals of two arms: how often they are right, at one look and at twenty."""

import numpy as np
import pytest
from scipy import optimize, stats

from mergeline import statistics
from mergeline.metrics import ALL, summed
from mergeline.outcome import differences
from mergeline.outcome.differences import TIGHTEST, Gap, critical, times_needed
from mergeline.statistics import Estimate, Floats
from mergeline.verdict import Rule, word

LEVEL = 0.95


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def looks(rng: np.random.Generator, share: float, per_look: int, times: int) -> tuple[Floats, Floats, Floats]:
    """Two arms without a difference, looked at twenty times: z, degrees of freedom and n, each (experiments, looks)."""
    arms = []
    for part in (1 - share, share):
        # What is measured is skewed, as losses are; every look has seen what those before it have.
        values = rng.exponential(1, (times, 20 * round(per_look * part)))
        counts = np.arange(1, 21) * round(per_look * part)
        sums, squares = (np.cumsum(values**power, axis=1)[:, counts - 1] for power in (1, 2))
        means = sums / counts
        arms.append((means, (squares / counts - means**2) / (counts - 1), counts))
    (ours, our, n1), (theirs, their, n2) = arms
    freedom = (our + their) ** 2 / (our**2 / (n1 - 1) + their**2 / (n2 - 1))
    return (theirs - ours) / np.sqrt(our + their), freedom, np.broadcast_to(n1 * n2 / (n1 + n2), ours.shape)


@pytest.mark.parametrize(("share", "per_look"), [(0.5, 40), (0.5, 600), (0.1, 400)])
def test_twenty_looks_fool_a_fixed_interval_and_not_an_always_valid_one(
    rng: np.random.Generator, share: float, per_look: int
) -> None:
    z, freedom, units = looks(rng, share, per_look, times=400)

    always = (np.abs(z) > differences.reach(units, freedom, LEVEL)).any(axis=1).mean()
    fixed = (np.abs(z) > stats.t.ppf(0.5 + LEVEL / 2, freedom)).any(axis=1).mean()
    once = (np.abs(z) > stats.t.ppf(0.5 + LEVEL / 2, freedom))[:, -1].mean()

    assert always <= 0.05
    assert fixed > 0.15
    assert once == pytest.approx(0.05, abs=0.03)


def test_the_intervals_of_a_gap_are_those_of_the_formulas() -> None:
    gap = Gap(value=0.01, error=0.004, freedom=1e9, units=1234.0, groups=1500)
    rho = optimize.minimize_scalar(lambda rho: half(rho, TIGHTEST), bounds=(1e-3, 1), method="bounded").x

    assert gap.fixed(LEVEL) == pytest.approx((0.01 - 1.96 * 0.004, 0.01 + 1.96 * 0.004), abs=1e-6)
    assert gap.always(LEVEL)[1] - 0.01 == pytest.approx(0.004 * half(rho, 1234.0), rel=1e-4)


def half(rho: float, n: float) -> float:
    """The half width over the standard error, as the paper has it."""
    return float(np.sqrt(2 * (n * rho**2 + 1) / (n * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / (1 - LEVEL))))


def test_the_sequence_is_tightest_where_it_says_and_not_much_wider_elsewhere() -> None:
    reach = critical(np.geomspace(50, 500_000, 200), LEVEL) / stats.norm.ppf(0.5 + LEVEL / 2)

    assert reach.min() == pytest.approx(1.55, abs=0.01)
    assert reach.max() < 2
    assert float(critical(TIGHTEST, LEVEL)) == pytest.approx(
        min(half(rho, TIGHTEST) for rho in np.linspace(0.01, 1, 999)), rel=1e-5
    )


def test_a_few_units_widen_an_always_valid_interval_as_they_do_a_fixed_one() -> None:
    few, many = (Gap(value=0.0, error=1.0, freedom=f, units=200.0, groups=20) for f in (12.0, 1e6))

    assert few.always(LEVEL)[1] > 1.2 * many.always(LEVEL)[1]


@pytest.mark.parametrize("rows_of_a_key", [1, 8])
def test_two_arms_by_key_cover_a_true_difference_as_often_as_they_say(
    rng: np.random.Generator, rows_of_a_key: int
) -> None:
    hits, naive = 0, 0
    for _ in range(300):
        arms = []
        for keys, level in ((120, 0.0), (40, 0.3)):
            groups = np.repeat(np.arange(keys), rows_of_a_key)
            values = level + rng.normal(0, 1, keys)[groups] + rng.normal(0, 0.5, len(groups))
            arms.append((values, groups))
        gap = differences.unpaired(*(statistics.estimate(summed.mean(v), g) for v, g in arms))
        rowwise = differences.unpaired(*(statistics.estimate(summed.mean(v), np.arange(len(v))) for v, _ in arms))
        hits += gap.fixed(LEVEL)[0] <= 0.3 <= gap.fixed(LEVEL)[1]
        naive += rowwise.fixed(LEVEL)[0] <= 0.3 <= rowwise.fixed(LEVEL)[1]

    assert 0.92 <= hits / 300 <= 0.985
    assert rows_of_a_key == 1 or naive / 300 < 0.7


def test_pairs_have_the_statistics_of_a_pull_request(rng: np.random.Generator) -> None:
    days = rng.integers(0, 30, 400)
    base, candidate = (summed.mean(rng.normal(level, 1, 400)) for level in (0.0, 0.1))

    found = statistics.difference(base, candidate, days)

    assert differences.paired(found).value == found.value
    assert differences.paired(found).fixed(LEVEL) == pytest.approx(found.interval(LEVEL))


def test_the_smaller_arm_decides_how_much_two_arms_know() -> None:
    gap = differences.unpaired(Estimate(0.5, 0.03, 900), Estimate(0.6, 0.04, 100))

    assert (gap.value, gap.error, gap.groups) == pytest.approx((0.1, 0.05, 100))
    assert gap.units == 90
    assert gap.freedom == pytest.approx(0.05**4 / (0.03**4 / 899 + 0.04**4 / 99))


def test_arms_that_never_differ_have_an_interval_of_nothing() -> None:
    gap = differences.unpaired(Estimate(0.5, 0.0, 20), Estimate(0.5, 0.0, 30))

    assert gap.fixed(LEVEL) == gap.always(LEVEL) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("value", "error", "groups", "expected"),
    [
        (0.032, 0.008, 300, "better"),
        (-0.032, 0.008, 300, "worse"),
        (0.032, 0.014, 300, "cannot tell"),
        (0.004, 0.001, 300, "cannot tell"),
        (0.001, 0.001, 300, "same"),
        (0.032, 0.001, 9, "cannot tell"),
    ],
    ids=["clear", "clear loss", "clear at one look only", "real but small", "small", "nine keys"],
)
def test_the_word_rests_on_the_always_valid_interval(value: float, error: float, groups: int, expected: str) -> None:
    gap = Gap(value=value, error=error, freedom=2 * groups, units=groups / 2, groups=groups)

    assert word(Rule(ALL["roc_auc"], 0.005), gap.value, gap.groups, gap.always, LEVEL) == expected


def test_so_many_more_units_make_the_interval_as_narrow_as_what_matters() -> None:
    gap = Gap(value=0.3, error=0.01, freedom=1e9, units=400.0, groups=600)

    times = times_needed(gap, 0.005, LEVEL)

    assert times is not None
    later = Gap(value=0.3, error=0.01 / times**0.5, freedom=1e9, units=400.0 * times, groups=600)
    assert later.always(LEVEL)[1] - 0.3 == pytest.approx(0.005, rel=0.02)
    assert times_needed(gap, 0.1, LEVEL) == 1
    assert times_needed(gap, 0.0, LEVEL) is None
