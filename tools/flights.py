"""The real flights for benchmarks of the verdict: scores of models on days that they were not trained on."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import OrdinalEncoder

from mergeline import frames, statistics
from mergeline.statistics import Floats, Ints
from model import features, source
from tools.story import WEATHER_COLUMNS

REFITS = 6
THINNED = 4
ROUNDS = 40
"""Pull requests that change nothing are played on each fourth row with fewer trees: there are many of them."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Labels, both models' scores and days of n held-out rows, shape (n,) each."""

    labels: NDArray[Any]
    base: Floats
    candidate: Floats
    groups: Ints


@dataclass(frozen=True, slots=True)
class Table:
    """Every flight: features without and with the weather, shape (n, k), its label, its day and month."""

    plain: Floats
    weather: Floats
    labels: NDArray[np.int64]
    days: NDArray[np.str_]
    months: Ints


@cache
def table() -> Table:
    """Give the flights as the example's features make them."""
    rows = source.flights()
    raw = frames.raw(rows, {name: frames.kind(dtype, name) for name, dtype in rows.schema.items()})
    made = features.features(raw)
    numbers = np.column_stack([np.asarray(made[name], dtype=np.float32) for name in features.NUMERIC])
    texts = OrdinalEncoder().fit_transform(np.column_stack([made[name] for name in features.CATEGORICAL]))
    plain = np.column_stack([numbers, texts])
    weather = np.column_stack([plain, *(raw[name] for name in WEATHER_COLUMNS)])
    days = rows["date"].to_numpy().astype(str)
    return Table(plain, weather, rows["late"].to_numpy().astype(np.int64), days, rows["month"].to_numpy())


def fit(
    columns: Floats, labels: NDArray[np.int64], seed: int, share: float = 1.0, rounds: int = 100
) -> HistGradientBoostingClassifier:
    """Fit the example's trees; with a `share` of columns per split below 1 the seed matters."""
    trees = HistGradientBoostingClassifier(early_stopping=False, random_state=seed, max_features=share, max_iter=rounds)
    return trees.fit(columns, labels)


@cache
def weather(months: tuple[int, ...]) -> Scored:
    """Train with and without the weather on all months before, score the months."""
    flights = table()
    train, held_out = flights.months < months[0], np.isin(flights.months, months)
    sides = [
        fit(columns[train], flights.labels[train], 7).predict_proba(columns[held_out])[:, 1]
        for columns in (flights.plain, flights.weather)
    ]
    return Scored(flights.labels[held_out], sides[0], sides[1], statistics.codes(flights.days[held_out]))


def nothing(which: int) -> tuple[Scored, tuple[list[Floats], list[Floats]]]:
    """Play a pull request that changes nothing: another seed, or a column of noise; judged on June to September in turn.

    Returns:
        Both models' scores, and (candidate's, base's) scores of models trained anew on other halves of the days.
    """
    flights = table()
    rng = np.random.default_rng(which)
    junk = np.column_stack([flights.plain, rng.normal(size=len(flights.plain))])
    candidate, seed, share = (flights.plain, 1000 + which, 0.5) if which % 2 else (junk, 7, 1.0)
    month = 6 + which // 2 % 4
    thin = np.arange(len(flights.labels)) % THINNED == which % THINNED
    train, held_out = thin & (flights.months < month), thin & (flights.months == month)

    def scores(columns: Floats, rows: NDArray[np.bool_], seed: int) -> Floats:
        found = fit(columns[rows], flights.labels[rows], seed, share, ROUNDS).predict_proba(columns[held_out])[:, 1]
        return np.asarray(found, dtype=np.float64)

    anew: tuple[list[Floats], list[Floats]] = ([], [])
    days, place = np.unique(flights.days, return_inverse=True)
    for i in range(REFITS):
        half = train & (rng.random(len(days)) < 0.5)[place]
        anew[0].append(scores(candidate, half, seed + 1 + i))
        anew[1].append(scores(flights.plain, half, 8 + i))
    base = scores(flights.plain, train, 7)
    made = Scored(
        flights.labels[held_out], base, scores(candidate, train, seed), statistics.codes(flights.days[held_out])
    )
    return made, anew
