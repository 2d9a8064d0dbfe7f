"""The metrics that gates.yaml names, as an experiment is judged by them too."""

from pathlib import Path

from .. import config
from ..verdict import Rule
from . import gates, own_metrics


def rules(root: Path) -> list[Rule]:
    """Give the primary metric first, then the others, with what matters in each. Raises BadSettings."""
    asked, task = config.gates(root), config.params(root).task
    gates.check(asked, task)
    suited = own_metrics.load(gates.suited(asked, task), None, root)
    names = dict.fromkeys([asked.primary, *asked.metrics])
    return [Rule(suited[name], asked.metrics[name].matters) for name in names]
