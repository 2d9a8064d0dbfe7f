"""A few small pictures of a training, as PNG: MLflow shows them beside each other without any script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .results import METRICS

MOST_BARS = 25
INK = "#1f6feb"


def figures(root: Path) -> Iterator[tuple[str, Figure]]:
    """Give name and picture of what the result files below `root` hold: metrics with intervals, and slices."""
    measured = msgspec.json.decode((root / METRICS).read_bytes(), type=dict[str, Any])
    known = {name: found for name, found in measured.get("metrics", {}).items() if found["value"] is not None}
    if known:
        yield "metrics", _intervals(known)
    for column, values in measured.get("slices", {}).items():
        for metric in known:
            points = {str(name): found[metric] for name, found in values.items() if found.get(metric) is not None}
            if points:
                yield f"slices/{column}.{metric}", _bars(points, f"{metric} by {column}", known[metric]["value"])
                break


def _intervals(known: dict[str, Any]) -> Figure:
    figure, axes = _canvas(len(known))
    for row, found in enumerate(known.values()):
        low, high = found.get("interval") or (found["value"], found["value"])
        axes.plot([low, high], [row, row], color=INK, linewidth=2)
        axes.plot([found["value"]], [row], "o", color=INK)
        axes.annotate(f"{found['value']:.4g}", (found["value"], row), xytext=(0, 7), textcoords="offset points")
    axes.set_yticks(range(len(known)), list(known))
    axes.set_title("held-out rows, with 95% intervals")
    return figure


def _bars(points: dict[str, float], title: str, overall: float) -> Figure:
    shown = dict(sorted(points.items(), key=lambda point: point[1])[:MOST_BARS])
    figure, axes = _canvas(len(shown))
    axes.barh(list(shown), list(shown.values()), color=INK, alpha=0.7)
    axes.axvline(overall, color="black", linewidth=1, linestyle="--")
    left = f", the {MOST_BARS} lowest of {len(points)}" if len(points) > MOST_BARS else ""
    axes.set_title(f"{title}{left} (dashed: all rows)")
    return figure


def _canvas(rows: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 1.2 + 0.35 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()
