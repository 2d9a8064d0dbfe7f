"""What lifts a failed gate for one pull request: an entry of gates.yaml, or a label and a reason that its owners give.

On the forge a maintainer puts the label `override` on the pull request and writes a comment with a line such as
`override roc_auc.not_worse: the rows of May are wrong`. Both are asked for with their authors' permission, by whoever
judges: what a pull request's own branch says of itself lifts nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ..errors import ForgeTrouble
from . import Forge

LABEL = "override"
LINE = re.compile(r"^override (.+?): (\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Reasons by gate, and what a person should know who asked for one and does not get it."""

    lifted: Mapping[str, str]
    notes: Sequence[str] = ()


def of(written: Mapping[str, str], known: Collection[str], forge: Forge | None, number: int) -> Overrides:
    """Give all that is lifted for a pull request; a forge that does not answer lifts nothing, and that is a note.

    Args:
        written: the reasons by gate that gates.yaml has for it.
        known: the names of the gates.
        forge: None where there is none.
        number: of the pull request.
    """
    if forge is None:
        return Overrides(written)
    try:
        told = _told(forge, known, number)
    except ForgeTrouble as error:
        return Overrides(written, [f"No override by label: {error.args[0]}."])
    return Overrides({**told.lifted, **written}, told.notes)


def _told(forge: Forge, known: Collection[str], number: int) -> Overrides:
    maintains = cache(forge.maintains)
    by = forge.labelled(number, LABEL)
    if by is None:
        return Overrides({})
    if not maintains(by):
        return Overrides(
            {}, [f"The label {LABEL} lifts nothing: {by}, who put it there, does not maintain this repository."]
        )
    lifted: dict[str, str] = {}
    notes = []
    for remark in forge.remarks(number, LABEL):
        for gate, reason in LINE.findall(remark.body.replace("\r", "")):
            if gate not in known:
                notes.append(f"{remark.author} would lift {gate}, which is no gate.")
            elif maintains(remark.author):
                lifted[gate] = f"{reason.strip()} ({remark.author})"
            else:
                notes.append(f"{remark.author} would lift {gate}, and does not maintain this repository.")
    if not lifted and not notes:
        notes = [
            f"The label {LABEL} lifts nothing yet: a maintainer gives the reason in a comment `override GATE: reason`."
        ]
    return Overrides(lifted, notes)
