"""A failed gate lifted for one pull request: by an entry of gates.yaml, or by a label and a reason that its owners give.

On the forge a maintainer puts the label `override` on the pull request and writes a comment with a line such as
`override roc_auc.not_worse: the rows of May are wrong`. Both are asked for with their authors' permission, by whoever
judges: what a pull request's own branch says of itself lifts nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ..config import Gates
from ..errors import ForgeTrouble
from ..forge import Forge
from . import gates as rules
from .report import Report

LABEL = "override"
LINE = re.compile(r"^override ([^:\n]+): (\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Reasons by gate, and what a person should know who asked for one and does not get it."""

    lifted: Mapping[str, str]
    notes: Sequence[str] = ()


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
    found = of(gates, forge, number)
    return msgspec.structs.replace(
        report, gates=rules.judge(gates, report, found.lifted, level), notes=[*report.notes, *found.notes]
    )


def of(gates: Gates, forge: Forge | None, number: int) -> Overrides:
    """Give all that is lifted for a pull request; a forge that does not answer lifts nothing, and that is a note."""
    written = {o.gate: o.reason for o in gates.overrides if o.pull_request == number}
    if forge is None:
        return Overrides(written)
    try:
        told = _told(forge, rules.names(gates), number)
    except ForgeTrouble as error:
        return Overrides(written, [f"No override by label: {error.args[0]}."])
    return Overrides({**told.lifted, **written}, told.notes)


def _told(forge: Forge, known: Sequence[str], number: int) -> Overrides:
    by = forge.labelled(number, LABEL)
    if by is None:
        return Overrides({})
    if not forge.maintains(by):
        return Overrides(
            {}, [f"The label {LABEL} lifts nothing: {by}, who put it there, does not maintain this repository."]
        )
    lifted: dict[str, str] = {}
    notes = []
    for remark in forge.remarks(number, LABEL):
        for gate, reason in LINE.findall(remark.body.replace("\r", "")):
            if gate not in known:
                notes.append(f"{remark.author} would lift {gate}, which is no gate.")
            elif forge.maintains(remark.author):
                lifted[gate] = f"{reason.strip()} ({remark.author})"
            else:
                notes.append(f"{remark.author} would lift {gate}, and does not maintain this repository.")
    if not lifted and not notes:
        notes = [
            f"The label {LABEL} lifts nothing yet: a maintainer gives the reason in a comment `override GATE: reason`."
        ]
    return Overrides(lifted, notes)
