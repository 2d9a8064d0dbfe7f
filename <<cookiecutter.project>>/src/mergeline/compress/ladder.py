"""Which smaller settings are tried: the counts of the section `model` that make trees fewer or shallower, halved."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from ..errors import BadSettings

Setting: TypeAlias = dict[str, int]
LEAST: Mapping[str, int] = {
    "iterations": 5,
    "max_iter": 5,
    "n_estimators": 5,
    "max_leaf_nodes": 4,
    "max_depth": 2,
}
"""The counts that are known, each with the least that is tried."""
HALVINGS = 3


def rungs(model: Mapping[str, Any]) -> list[Setting]:
    """Give what to change in each trial: one count halved up to three times, and all of them halved together.

    Args:
        model: the section `model` of params.yaml.

    Raises:
        BadSettings: it has no count that can be halved.

    >>> rungs({"iterations": 40, "learning_rate": 0.1, "max_leaf_nodes": 8})[:3]
    [{'iterations': 20}, {'iterations': 10}, {'iterations': 5}]
    """
    steps = {name: _halved(model[name], LEAST[name]) for name in LEAST if _is_count(model.get(name))}
    steps = {name: found for name, found in steps.items() if found}
    if not steps:
        raise BadSettings(
            f"params.yaml: model has none of {', '.join(LEAST)} that is large enough to be halved; "
            f"it has: {', '.join(f'{name}: {value}' for name, value in model.items()) or 'nothing'}",
            "Let src/model/estimator.py read one of them.",
        )
    alone = [{name: value} for name, found in steps.items() for value in found]
    if len(steps) == 1:
        return alone
    together = [
        {name: found[min(i, len(found) - 1)] for name, found in steps.items()}
        for i in range(max(map(len, steps.values())))
    ]
    return alone + together


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _halved(value: int, least: int) -> list[int]:
    found = [value // 2**i for i in range(1, HALVINGS + 1)]
    return [half for half in found if half >= least]
