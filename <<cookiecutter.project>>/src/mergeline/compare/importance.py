"""Which features each model listens to, as its own stage `explain` found, where that was run for this very model."""

from pathlib import Path

import msgspec

from .. import objects
from .report import Importance

FOLDER = "results/explain"
FILE = "importance.json"
ESTIMATOR = "results/estimator.pkl"
MOST = 20


class _Feature(msgspec.Struct):
    feature: str
    rise: float


class _Found(msgspec.Struct):
    features: list[_Feature]


def run(base: Path | None, candidate: Path) -> list[Importance]:
    """Give the most important features of either model, the candidate's first; empty where it was not explained."""
    ours = of(candidate)
    theirs = of(base) if base and ours else {}
    names = sorted({*ours, *theirs}, key=lambda name: (-max(ours.get(name, 0), theirs.get(name, 0)), name))
    return [Importance(feature=name, base=theirs.get(name), candidate=ours.get(name)) for name in names[:MOST]]


def of(root: Path) -> dict[str, float]:
    """Give how much the error rises when a feature is shuffled, by feature; empty where that is of an older model."""
    stages = objects.lock(root).get("stages", {})
    explained = [dep.get("md5") for dep in stages.get("explain", {}).get("deps", []) if dep["path"] == ESTIMATOR]
    trained = [out.name for out in objects.outputs(root) if out.path == ESTIMATOR]
    if explained != trained or not trained:
        return {}
    if not (root / FOLDER / FILE).is_file() and objects.place(root, (FOLDER,)):
        return {}
    try:
        found = msgspec.json.decode((root / FOLDER / FILE).read_bytes(), type=_Found)
    except (OSError, msgspec.MsgspecError):
        return {}
    return {feature.feature: feature.rise for feature in found.features}
