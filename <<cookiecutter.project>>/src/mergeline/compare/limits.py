"""Rules of gates.yaml beside those of the metrics: what each section may name, and whether a report passes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..config import Gates, Task
from ..errors import BadSettings
from .report import GateRow, Report
from .words import number

RULES = {
    "slices": ("not_worse", "at_least", "at_most"),
    "fairness": ("not_worse", "at_most"),
    "flips": ("at_most",),
    "calibration": ("at_most", "at_most_times"),
    "cost": ("at_most", "at_most_times"),
    "data": ("at_most",),
}
"""Which rules a section takes: nothing is shown to be worse where a difference has no interval."""
FLIPS = ("right to wrong", "changed")
CALIBRATION = ("error",)
COST = ("training", "peak memory", "bundle", "latency of 1 row", "latency of 1,000 rows")
DATA = ("suspects", "duplicates", "shared groups", "drift")
MEASURES: dict[Task, tuple[str, ...]] = {
    "classification": (
        "selection rate",
        "true positive rate",
        "false positive rate",
        "mean calibration error",
        "accuracy",
    ),
    "regression": ("mean error",),
}
HARM = ("worse", "wider")
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a rule is asked of: a value of both sides, and what their difference shows where it has an interval.

    `reason` says why a value is not there; `unknown` that no row has what the rule names, which is never a pass.
    """

    name: str
    base: float | None
    candidate: float | None
    word: str = ""
    reason: str | None = None
    unknown: bool = False


def check(gates: Gates, task: Task) -> None:
    """Refuse a rule that could never be asked. Raises BadSettings that names it and what is allowed."""
    allowed = {
        "fairness": MEASURES[task],
        "flips": FLIPS,
        "calibration": CALIBRATION if task == "classification" else (),
        "cost": COST,
        "data": DATA,
    }
    for section, name, of in gates.limits():
        if wrong := [rule for rule in of.asked() if rule not in RULES[section]]:
            raise BadSettings(f"gates.yaml: {section}.{name}: no rule {wrong[0]}; allowed: {', '.join(RULES[section])}")
        last = name.rpartition(".")[2] if section == "fairness" else name
        if last not in allowed.get(section, (last,)):
            found = ", ".join(allowed[section]) or f"nothing, for a {task}"
            raise BadSettings(f"gates.yaml: {section}.{name}: no {last} is measured; allowed: {found}")


def check_columns(gates: Gates, sensitive: Sequence[str]) -> None:
    """Refuse a rule about a column that is not sensitive; `slices.asked` refuses those about unknown slices.

    Raises:
        BadSettings: it names the column, and the sensitive ones.
    """
    for column in gates.fairness:
        if column not in sensitive:
            known = ", ".join(sensitive) or "nothing"
            raise BadSettings(
                f"gates.yaml: fairness.{column}: SENSITIVE of src/model/schema.py does not name it; it has: {known}"
            )


def judge(gates: Gates, report: Report) -> list[GateRow]:
    """Ask every rule of a report.

    A rule about one thing fails when that could not be measured; one about all values of a column passes over those that
    are too small.

    Raises:
        BadSettings: a rule names a slice that the report does not have, or a measure that its classes do not have.
    """
    found = []
    for section, name, of in gates.limits():
        facts = FACTS[section](report, name)
        for rule, limit in of.asked().items():
            passed, text = _ask(rule, limit, facts)
            found.append(GateRow(gate=f"{section}.{name}.{rule}", state="passed" if passed else "failed", text=text))
    return found


def _ask(rule: str, limit: float, facts: list[Fact]) -> tuple[bool, str]:
    there = [(fact, fact.candidate) for fact in facts if fact.candidate is not None]
    if not there:
        reason = next((fact.reason for fact in facts if fact.reason), "no value")
        return rule == "not_worse" and not any(fact.unknown for fact in facts), f"not measured: {reason}"
    if rule == "not_worse":
        harm = [
            f"{fact.name} is {fact.word}: {number(fact.base)} to {number(value)}"
            for fact, value in there
            if fact.word in HARM
        ]
        return not harm, _list(harm) or f"harm is not shown{_among(len(there))}"
    if rule == "at_most_times":
        return _ask_times(*there[0], limit)
    words = rule.replace("_", " ")
    broken = [(fact, value) for fact, value in there if (value < limit if rule == "at_least" else value > limit)]
    if broken:
        return False, _list([f"{fact.name} {value:.4g} is not {words} {limit:.4g}" for fact, value in broken])
    which = f"{there[0][1]:.4g} is" if len(there) == 1 else f"all {len(there):,} values are"
    return True, f"{which} {words} {limit:.4g}"


def _ask_times(fact: Fact, value: float, times: float) -> tuple[bool, str]:
    if not fact.base:
        return True, f"not compared: {fact.reason or 'there is no value of the base'}"
    passed = value / fact.base <= times
    return passed, f"{fact.base:.4g} to {value:.4g} is {'' if passed else 'not '}at most {times:.4g} times the base"


def _among(values: int) -> str:
    return f" in any of {values:,} values" if values > 1 else ""


def _list(found: list[str]) -> str:
    more = f"; {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _slices(report: Report, name: str) -> list[Fact]:
    column, _, value = name.partition("=")
    rows = [row for row in report.slices.asked if row.column == column and value in ("", row.value)]
    if not rows:
        raise BadSettings(f"gates.yaml: slices.{name}: the report has no such slice")
    return [
        Fact(f"{row.column}={row.value}", row.base, row.candidate, row.word, row.reason, not row.rows) for row in rows
    ]


def _fairness(report: Report, name: str) -> list[Fact]:
    column, _, measure = name.rpartition(".")
    rows = [row for row in report.fairness.rows if row.column == column] if report.fairness else []
    if rows and measure not in (measured := dict.fromkeys(row.measure for row in rows)):
        raise BadSettings(
            f"gates.yaml: fairness.{name}: not measured with these classes; allowed: {', '.join(measured)}"
        )
    found = [row for row in rows if row.value is None and row.measure == measure]
    facts = [Fact(f"gap of {measure} by {column}", row.base, row.candidate, row.word, row.reason) for row in found]
    return facts or [Fact(name, None, None, reason="fewer than two values have enough rows and groups")]


def _flips(report: Report, name: str) -> list[Fact]:
    found = report.flips
    if found is None or not found.rows:
        return [Fact(name, None, None, reason=report.reason or "there is no base")]
    changed = found.right_to_wrong + found.wrong_to_right + found.other
    return [Fact(name, None, (found.right_to_wrong if name == FLIPS[0] else changed) / found.rows)]


def _calibration(report: Report, name: str) -> list[Fact]:
    found = report.calibration
    if found is None:
        return [Fact(name, None, None, reason="the held-out rows do not support it")]
    return [Fact(name, found.base_error, found.candidate_error)]


def _cost(report: Report, name: str) -> list[Fact]:
    found = next((cost for cost in report.cost if cost.name == name), None)
    if found is None:
        return [Fact(name, None, None, reason="it was not recorded")]
    if not found.comparable:
        return [Fact(name, None, found.candidate, reason="measured on different machines")]
    return [Fact(name, found.base, found.candidate)]


def _data(report: Report, name: str) -> list[Fact]:
    counts = {
        "suspects": len(report.checks.suspects),
        "duplicates": report.checks.duplicates,
        "shared groups": report.checks.shared_groups,
        "drift": max((row.psi for row in report.drift), default=0.0),
    }
    return [Fact(name, None, float(counts[name]))]


FACTS: dict[str, Callable[[Report, str], list[Fact]]] = {
    "slices": _slices,
    "fairness": _fairness,
    "flips": _flips,
    "calibration": _calibration,
    "cost": _cost,
    "data": _data,
}
