"""The rules of gates.yaml asked of a report, and what lifts those that fail."""

import msgspec

from ..config import Gates
from ..forge import Forge, overrides
from . import gates as rules
from .report import Report


def settle(report: Report, gates: Gates, forge: Forge | None, number: int | None, level: float) -> Report:
    """Judge a report by gates.yaml; where rules fail, look for what lifts them for this pull request.

    Args:
        report: its metrics have their words already.
        gates: of the base.
        forge: None where there is none: then an entry of gates.yaml alone lifts a rule.
        number: of the pull request, None outside of one.
        level: of intervals.

    Raises:
        BadSettings: a rule names a slice that the report does not have.
    """
    judged = msgspec.structs.replace(report, gates=rules.judge(gates, report, level=level))
    if number is None or not judged.fails():
        return judged
    found = overrides.of(gates.lifted(number), forge, number, rules.names(gates))
    return msgspec.structs.replace(
        report, gates=rules.judge(gates, report, found.lifted, level), notes=[*report.notes, *found.notes]
    )
