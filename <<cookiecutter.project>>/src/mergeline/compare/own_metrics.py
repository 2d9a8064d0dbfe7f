"""Metrics that the project wrote: functions of src/model/metrics.py that gates.yaml names with their direction.

Each is `name(labels, scores, weights) -> float` over n rows; a weight says how often a row counts. The base's file
is taken where it has one, so that a pull request cannot change how it is judged.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ..errors import BadSettings
from ..metrics import Metric

FILE = "src/model/metrics.py"


def load(suited: Mapping[str, Metric], base: Path | None, candidate: Path) -> dict[str, Metric]:
    """Give the metrics with the functions of those that are the project's own.

    Raises:
        BadSettings: the file or a function is not there, or the file cannot be run.
    """
    own = [name for name, metric in suited.items() if metric.influence is None]
    if not own:
        return dict(suited)
    path = next((root / FILE for root in (base, candidate) if root and (root / FILE).is_file()), None)
    if path is None:
        raise BadSettings(f"gates.yaml: {own[0]} is a metric of your own, and {FILE} is not there", "Write it there.")
    module = ModuleType("own_metrics")
    try:
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 - the project's own code
    except Exception as error:
        raise BadSettings(f"{FILE} cannot be run: {type(error).__name__}: {error}") from error
    for name in own:
        if not callable(getattr(module, name, None)):
            raise BadSettings(f"gates.yaml: {name} is no metric, and {FILE} defines no function of that name")
    return {**suited, **{name: replace(suited[name], own=getattr(module, name)) for name in own}}
