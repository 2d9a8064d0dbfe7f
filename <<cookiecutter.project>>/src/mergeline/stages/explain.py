"""Say which features the model listens to: permutation importance, partial dependence, a surrogate tree as rules.

Sources: Breiman (2001) for permutation importance, Friedman (2001) for partial dependence,
Craven & Shavlik (1996) for trees that imitate a model. All of it works on samples; no verdict depends on it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor, _tree

from .. import config, files, frames, metrics
from ..config import Task
from ..progress import step
from .schema import HELD_OUT, TRAIN, schema, targets
from .table import Fitted, feature_frame, fitted

SAMPLE = 5000
CURVE_SAMPLE = 500
REPEATS = 3
POINTS = 12
DEPTH = 3


def run(root: Path) -> None:
    """Write results/explain/{importance,dependence,surrogate}.json. Raises BadData, BadSettings."""
    params, known, model = config.of_stage(root), schema(), fitted(root)
    rng = np.random.default_rng(params.seeds.train)
    held_out = _sample(frames.read(root / HELD_OUT, known.dtypes), SAMPLE, rng)
    train = feature_frame(_sample(frames.read(root / TRAIN, known.dtypes), SAMPLE, rng), known)
    labels = targets(held_out[known.label], params.task, model.classes)
    made = feature_frame(held_out, known)
    known_labels = pl.Series(labels >= 0) if model.classes else pl.Series(np.ones(len(labels), dtype=bool))
    with step("Explain the model"):
        found = {
            "importance": importance(
                model, made.filter(known_labels), labels[known_labels.to_numpy()], params.task, rng
            ),
            "dependence": dependence(model, train.head(CURVE_SAMPLE), train),
            "surrogate": surrogate(model, train, params.seeds.train),
        }
    for name, value in found.items():
        files.write_json(root / f"results/explain/{name}.json", value)


def importance(
    model: Fitted, made: pl.DataFrame, labels: NDArray[Any], task: Task, rng: np.random.Generator
) -> dict[str, Any]:
    """Give by how much the loss rises when one feature's values are dealt out anew among held-out rows."""
    loss = "log_loss" if task == "classification" else "mae"

    def lost(frame: pl.DataFrame) -> float:
        return metrics.measure(loss, labels, model.scores(frame)).value

    if not len(made):
        return {"loss": loss, "rows": 0, "features": []}
    before = lost(made)
    found = []
    for name in made.columns:
        dealt = [made.with_columns(made[name].gather(rng.permutation(len(made)))) for _ in range(REPEATS)]
        rises = [lost(frame) - before for frame in dealt]
        found.append({"feature": name, "rise": float(np.mean(rises)), "deviation": float(np.std(rises))})
    ranked = sorted(found, key=lambda f: (-float(str(f["rise"])), str(f["feature"])))
    return {"loss": loss, "rows": len(made), "features": ranked}


def dependence(model: Fitted, rows: pl.DataFrame, seen: pl.DataFrame) -> dict[str, Any]:
    """Give the mean score of `rows` when one feature is set to each of some values: quantiles, or the frequent ones."""
    found: dict[str, Any] = {}
    for name in seen.columns:
        if seen[name].dtype == pl.String:
            counts = seen[name].value_counts().sort(["count", name], descending=[True, False])
            points: list[Any] = counts[name].head(POINTS).to_list()
        else:
            given = seen[name].to_numpy()
            given = given[np.isfinite(given)]
            points = (
                np.unique(np.quantile(given, np.linspace(0.02, 0.98, POINTS), method="nearest")).tolist()
                if len(given)
                else []
            )
        sets = [rows.with_columns(pl.lit(point, dtype=seen[name].dtype).alias(name)) for point in points]
        scores = model.scores(pl.concat(sets))[:, -1].reshape(len(points), -1).mean(axis=1) if sets else np.empty(0)
        found[name] = {"points": points, "scores": scores.tolist()}
    return found


def surrogate(model: Fitted, made: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Give a small tree that imitates the model's scores on training rows, as rules, and how well it does (R2)."""
    scores = model.scores(made)[:, -1]
    columns: list[pl.Series] = []
    for name in made.columns:
        if made[name].dtype == pl.String:
            common = made[name].value_counts().sort(["count", name], descending=[True, False])[name].head(POINTS)
            columns += [(made[name] == value).cast(pl.Float64).alias(f"{name} = {value}") for value in common.sort()]
        else:
            columns.append(made[name].cast(pl.Float64))
    table = pl.DataFrame(columns)
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=0.02, random_state=seed).fit(
        table.to_numpy(), scores
    )
    return {
        "fidelity": tree.score(table.to_numpy(), scores),
        "rows": len(made),
        "rules": rules(tree.tree_, table.columns),
    }


def rules(tree: _tree.Tree, names: list[str], node: int = 0, path: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Read a tree as rules: conditions, the share of rows that they pick, and the mean score there."""
    if tree.children_left[node] == -1:
        share = float(tree.n_node_samples[node] / tree.n_node_samples[0])
        return [{"if": list(path), "share": share, "score": float(tree.value[node].ravel()[0])}]
    name, edge = names[tree.feature[node]], float(tree.threshold[node])
    known_value = " = " in name
    low = name.replace(" = ", " is not ") if known_value else f"{name} <= {edge:g}"
    high = name.replace(" = ", " is ") if known_value else f"{name} > {edge:g}"
    return [
        *rules(tree, names, tree.children_left[node], (*path, low)),
        *rules(tree, names, tree.children_right[node], (*path, high)),
    ]


def _sample(frame: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    return frame[np.sort(rng.permutation(len(frame))[:rows])]
