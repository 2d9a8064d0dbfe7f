"""How much of a difference came from data, how much from code: two recipes crossed with two states of the data.

With the metric m of four models on the same rows, base code on base data (b), base code on new data (d), new code on
base data (c) and the candidate (n): data is m(d) - m(b), code is m(c) - m(b), and what only both together bring is
m(n) - m(d) - m(c) + m(b), the interaction of a 2x2 factorial design (Fisher 1935). The three add up to the difference.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from .. import bundle, frames, metrics, refits, statistics
from ..config import Gates
from ..errors import DegenerateRows
from ..statistics import Estimate, Influence
from . import judge
from .judge import Names, Scored, Unit, describe
from .report import Attribution, AttributionRow

TRAINED_ON = "results/trained_on.parquet"
Signs = Mapping[str, int]
EFFECTS: dict[str, Signs] = {
    "data": {"new data": 1, "base": -1},
    "code": {"new code": 1, "base": -1},
    "together": {"candidate": 1, "new data": -1, "new code": -1, "base": 1},
    "total": {"candidate": 1, "base": -1},
}
"""Each effect as a sum of models; `new data` and `new code` are the base with one of the two changes."""


def run(
    roots: Mapping[str, Path], held_out: pl.DataFrame, names: Names, unit: Unit, rules: Gates, level: float
) -> Attribution:
    """Judge the four models on the candidate's held-out rows that none of them was trained on.

    Args:
        roots: the checkouts of `base`, `new data`, `new code` and `candidate`, each with its results.
        held_out: the candidate's.
        names: of the candidate's schema.
        unit: of independence.
        rules: the base's; each metric that they name and the loop knows is told.
        level: of the intervals.
    """
    models = {side: bundle.load(root / "bundle") for side, root in roots.items()}
    others = [side for side in roots if side != "candidate"]
    seen = pl.concat([frames.read(roots[side] / TRAINED_ON).select("row_id", "row_hash") for side in others])
    anew = {side: refits.bundles(roots[side], model) for side, model in models.items()}
    scored = {
        side: judge.score(
            held_out,
            models["candidate"],
            models[side],
            names,
            unit,
            trained_on=seen,
            anew=(anew[side], anew["candidate"]),
        )
        for side in others
    }
    if reason := next((found.reason for found in scored.values() if found.reason), None):
        return Attribution(reason=reason)
    judged = scored["base"].judged
    rows = []
    for name in dict.fromkeys([rules.primary, *rules.metrics]):
        if name not in metrics.ALL:
            continue
        try:
            rows.append(_row(name, scored, level))
        except DegenerateRows as why:
            return Attribution(reason=f"{name}: {why.args[0]}")
    return Attribution(rows=rows, judged=judged.rows, groups=judged.groups)


def effect(
    signs: Signs, influence: Callable[[str], Influence], anew: Callable[[str], list[float]], groups: statistics.Ints
) -> Estimate:
    """Estimate a sum of models' metrics, with the noise of training where all of them were trained anew.

    Args:
        signs: +1 or -1 for each model.
        influence: gives a model's metric on n rows.
        anew: gives the metric of each model trained anew, by the halves of the groups that all models share.
        groups: shape (n,), see `statistics.estimate`.

    Raises:
        DegenerateRows: fewer than two groups.
    """
    found = statistics.estimate(statistics.combine([(sign, influence(side)) for side, sign in signs.items()]), groups)
    values = [[sign * value for value in anew(side)] for side, sign in signs.items()]
    if min(map(len, values)) < 2:
        return found
    return found.with_noise(*statistics.deviation([sum(parts) for parts in zip(*values, strict=False)]))


def _row(name: str, scored: Mapping[str, Scored], level: float) -> AttributionRow:
    def influence(side: str) -> Influence:
        return judge.influence(name, *_side(scored, side))

    def anew(side: str) -> list[float]:
        whose, which = _side(scored, side)
        again = whose.anew.base if which == "base" else whose.anew.candidate
        return [judge.influence(name, whose, which, scores=scores).value for scores in again]

    groups = scored["base"].groups
    effects = {which: describe(effect(signs, influence, anew, groups), level) for which, signs in EFFECTS.items()}
    return AttributionRow(metric=name, **effects)


def _side(scored: Mapping[str, Scored], side: str) -> tuple[Scored, str]:
    """Give where a model's scores are: each of the others stands as base beside the candidate."""
    return (scored["base"], "candidate") if side == "candidate" else (scored[side], "base")
