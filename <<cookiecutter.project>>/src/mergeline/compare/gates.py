"""Verdict words and the rules of gates.yaml, from differences alone: the comment applies them a second time."""

import math
from collections.abc import Mapping

import msgspec

from .. import verdict
from ..config import Gates, MetricGate, Task
from ..errors import BadSettings, Integrity
from ..forge import Forge, overrides
from ..metrics import ALL, Metric, known, of_task
from ..statistics import Estimate
from . import limits
from .report import FEWEST_GROUPS, Attribution, Difference, GateRow, MetricRow, Report, Word


def word(metric: Metric, difference: Estimate, matters: float, level: float = 0.95) -> Word:
    """Say what a difference shows, of test rows and training together; see `verdict.word`."""
    return verdict.word(verdict.Rule(metric, matters), difference.value, difference.groups, difference.interval, level)


def suited(gates: Gates, task: Task) -> dict[str, Metric]:
    """Give the metrics that these gates name and the usual ones, by name. Raises BadSettings for an unknown one.

    One with a direction in gates.yaml is the project's own: `own_metrics` has the function.
    """
    own = {
        name: Metric(name, task, gate.better, None)
        for name, gate in gates.metrics.items()
        if gate.better and name not in ALL
    }
    for name, gate in gates.metrics.items():
        if gate.better and name in ALL:
            raise BadSettings(f"gates.yaml: metrics.{name}.better: the direction of {name} is known", "Leave it out.")
    asked = {name: known(name, task, own) for name in (gates.primary, *gates.metrics)}
    return {**asked, **of_task(task)}


def check(gates: Gates, task: Task) -> None:
    """Refuse rules that could never be asked. Raises BadSettings that names the metric."""
    suited(gates, task)
    if gates.primary not in gates.metrics:
        raise BadSettings(f"gates.yaml: primary is {gates.primary}, which metrics does not list")
    limits.check(gates, task)
    names = gates.names()
    for override in gates.overrides:
        if override.gate not in names:
            raise BadSettings(
                f"gates.yaml: an override names {override.gate}; the gates are: {', '.join(sorted(names))}"
            )


def judge(gates: Gates, report: Report, lifted: Mapping[str, str] | None = None, level: float = 0.95) -> list[GateRow]:
    """Ask every rule of a report; one that fails is overridden where `lifted` has a reason for it.

    A rule about the candidate alone fails when its value could not be measured: what cannot be measured is not
    shown to be good enough. *cannot tell* never fails `not_worse`.

    Raises:
        BadSettings: a rule names what the report does not have.
    """
    by_name = {row.name: row for row in report.metrics}
    found = []
    for name, gate in gates.metrics.items():
        for rule in gate.rules.asked():
            passed, text = _ask(rule, gate, by_name.get(name), level)
            found.append(GateRow(gate=f"{name}.{rule}", state="passed" if passed else "failed", text=text))
    why = lifted or {}
    return [
        msgspec.structs.replace(row, state="overridden", text=f"{row.text}; lifted: {why[row.gate]}")
        if row.state == "failed" and row.gate in why
        else row
        for row in [*found, *limits.judge(gates, report)]
    ]


def settle(report: Report, gates: Gates, forge: Forge | None, number: int | None, level: float) -> Report:
    """Judge a report whose metrics have their words; where rules fail, look for what lifts them.

    Args:
        report: what was found.
        gates: of the base.
        forge: None where there is none: then an entry of gates.yaml alone lifts a rule.
        number: of the pull request, None outside of one.
        level: of intervals.

    Raises:
        BadSettings: a rule names what the report does not have.
    """
    judged = msgspec.structs.replace(report, gates=judge(gates, report, level=level))
    if number is None or not judged.fails():
        return judged
    found = overrides.of(gates.lifted(number), gates.names(), forge, number)
    return msgspec.structs.replace(
        report,
        gates=judge(gates, report, found.lifted, level),
        notes=list(dict.fromkeys([*report.notes, *found.notes])),
    )


def again(report: Report, gates: Gates, level: float) -> Report:
    """Give a report with words and intervals as these rules have them, and no gates, whatever the report itself says.

    Raises:
        Integrity: its numbers contradict each other.
        BadSettings: the gates name a metric that does not exist.
    """
    check(gates, report.task)
    known_here = suited(gates, report.task)
    rows = [_again(row, report, gates, known_here, level) for row in report.metrics]
    primary = next((row for row in rows if row.name == gates.primary), None)
    return msgspec.structs.replace(
        report,
        primary=gates.primary,
        level=level,
        word=None if report.base is None else primary.word if primary else "cannot tell",
        metrics=rows,
        attribution=_attributed(report.attribution, known_here, level) if report.attribution else None,
        gates=[],
    )


def _again(row: MetricRow, report: Report, gates: Gates, suited: Mapping[str, Metric], level: float) -> MetricRow:
    if row.name not in suited:
        raise Integrity(f"the report has a metric {row.name!r:.40}, which is none of {report.task}")
    metric, gate, difference = suited[row.name], gates.metrics.get(row.name), row.difference
    said: Word = "cannot tell"
    if difference is not None:
        if row.base is None or row.candidate is None or not _equal(difference.value, row.candidate - row.base):
            raise _contradiction(row.name)
        difference = _difference(row.name, difference, level)
        if gate and report.base:
            said = word(metric, difference.estimate(), gate.matters, level)
    return msgspec.structs.replace(
        row, better=metric.better, difference=difference, matters=gate.matters if gate else None, word=said
    )


def _attributed(found: Attribution, suited: Mapping[str, Metric], level: float) -> Attribution:
    rows = []
    for row in found.rows:
        if row.metric not in suited or not _equal(
            row.total.value, row.data.value + row.code.value + row.together.value
        ):
            raise _contradiction(row.metric)
        effects = {name: _difference(row.metric, each, level) for name, each in row.effects().items()}
        rows.append(msgspec.structs.replace(row, **effects))
    return msgspec.structs.replace(found, rows=rows)


def _difference(name: str, found: Difference, level: float) -> Difference:
    """Give a metric's difference with its interval made anew. Raises Integrity where its numbers cannot be."""
    numbers = (found.value, found.standard_error, found.noise, found.noise_freedom)
    if (
        not all(map(math.isfinite, numbers))
        or min(found.standard_error, found.noise) < 0
        or found.groups < 2
        or not (found.noise_freedom >= 1 or found.noise == 0)
    ):
        raise _contradiction(name)
    return msgspec.structs.replace(found, interval=found.estimate().interval(level))


def _equal(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9


def _contradiction(name: str) -> Integrity:
    return Integrity(f"the report's numbers of {name[:40]} contradict each other")


def _ask(rule: str, gate: MetricGate, row: MetricRow | None, level: float) -> tuple[bool, str]:
    if row is None:
        return False, "the report has no such metric"
    if rule in ("not_worse", "proven_not_worse", "better"):
        return _ask_difference(rule, gate, row, level)
    if row.candidate is None:
        return False, f"not measured: {row.reason or 'no value'}"
    least, most = gate.rules.at_least, gate.rules.at_most
    if rule == "at_least" and least is not None:
        passed = row.candidate >= least
        return passed, f"{row.candidate:.4g} is {'' if passed else 'not '}at least {least:.4g}"
    passed = most is not None and row.candidate <= most
    return passed, f"{row.candidate:.4g} is {'' if passed else 'not '}at most {most:.4g}"


def _ask_difference(rule: str, gate: MetricGate, row: MetricRow, level: float) -> tuple[bool, str]:
    """Ask a rule about the difference. What was not judged is not shown to be worse, and not proven to be good.

    A candidate that cannot be measured where its base can is worse.
    """
    if row.difference is None and row.candidate is None and row.base is not None:
        return False, f"not measured: {row.reason or 'no value'}"
    if row.difference is None:
        return rule == "not_worse", f"not judged: {row.reason or 'there is no base'}"
    if rule == "not_worse":
        if row.word != "worse":
            return True, f"harm is not shown ({row.word})"
        low, high = row.difference.interval
        return False, (
            f"worse by {abs(row.difference.value):.4g}: {row.base:.4g} to {row.candidate:.4g}, "
            f"{level:.0%} interval {low:+.4g} to {high:+.4g}"
        )
    if rule == "better":
        return row.word == "better", f"{'shown' if row.word == 'better' else 'not shown'} ({row.word})"
    ends = row.difference.estimate().interval(0.90)
    bound = ends[0] if row.better == "higher" else -ends[1]
    proven = bound > -gate.matters and row.difference.groups >= FEWEST_GROUPS
    return proven, (
        f"{'proven' if proven else 'not proven'} to be at most {gate.matters:g} worse: with 95% confidence "
        + (f"at most {-bound:.4g} worse" if bound < 0 else "no worse at all")
    )
