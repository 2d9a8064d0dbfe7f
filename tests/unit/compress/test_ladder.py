"""Which smaller settings are tried."""

from typing import Any

import pytest

from mergeline.compress.ladder import rungs
from mergeline.errors import BadSettings


def test_each_count_is_halved_alone_and_all_together() -> None:
    assert rungs({"iterations": 100, "learning_rate": 0.1, "max_leaf_nodes": 31}) == [
        {"iterations": 50},
        {"iterations": 25},
        {"iterations": 12},
        {"max_leaf_nodes": 15},
        {"max_leaf_nodes": 7},
        {"iterations": 50, "max_leaf_nodes": 15},
        {"iterations": 25, "max_leaf_nodes": 7},
        {"iterations": 12, "max_leaf_nodes": 7},
    ]


@pytest.mark.parametrize("name", ["iterations", "n_estimators", "max_iter"])
def test_only_what_is_there_is_halved_and_not_below_the_least(name: str) -> None:
    assert rungs({name: 11, "max_depth": None, "early_stopping": True}) == [{name: 5}]


@pytest.mark.parametrize(
    "model", [{}, {"learning_rate": 0.1}, {"iterations": 9}, {"max_depth": True}, {"max_iter": "9"}]
)
def test_a_section_without_a_count_to_halve_is_refused_with_the_names(model: dict[str, Any]) -> None:
    with pytest.raises(
        BadSettings, match=r"^params\.yaml: model has none of iterations, max_iter, .* it has: "
    ) as refused:
        rungs(model)

    assert "\n" not in str(refused.value)
