import json
from pathlib import Path

import pytest

from mergeline.compare import importance

PIPELINE = "stages: {train: {cmd: x, outs: [results/estimator.pkl]}, explain: {cmd: x, outs: [results/explain]}}\n"


def side(root: Path, *, explained: str = "a", **features: float) -> Path:
    (root / "results/explain").mkdir(parents=True)
    (root / "dvc.yaml").write_text(PIPELINE)
    lock = {
        "train": {"outs": [{"path": "results/estimator.pkl", "md5": "a" * 32}]},
        "explain": {"deps": [{"path": "results/estimator.pkl", "md5": explained * 32}], "outs": []},
    }
    (root / "dvc.lock").write_text(json.dumps({"stages": lock}))
    rows = [{"feature": name, "rise": rise, "deviation": 0.1} for name, rise in features.items()]
    (root / "results/explain/importance.json").write_text(json.dumps({"features": rows}))
    return root


def test_features_of_both_models_are_ordered_by_importance(tmp_path: Path) -> None:
    found = importance.run(side(tmp_path / "a", hour=0.3, seats=0.1), side(tmp_path / "b", hour=0.2, wind=0.5))

    assert [(row.feature, row.base, row.candidate) for row in found] == [
        ("wind", None, 0.5),
        ("hour", 0.3, 0.2),
        ("seats", 0.1, None),
    ]


def test_an_explanation_of_an_older_model_is_not_shown(tmp_path: Path) -> None:
    assert importance.run(None, side(tmp_path / "b", explained="b", hour=0.2)) == []


@pytest.mark.parametrize("content", ["", "{}", '{"features": [{"feature": 1}]}'])
def test_an_unreadable_explanation_is_left_out(tmp_path: Path, content: str) -> None:
    root = side(tmp_path / "b", hour=0.2)
    (root / "results/explain/importance.json").write_text(content)

    assert importance.run(None, root) == []
