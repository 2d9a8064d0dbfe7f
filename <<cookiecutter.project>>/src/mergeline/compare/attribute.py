"""`model attribute`: complete a report of a pull request that changes both data and code by what each of them did."""

from pathlib import Path

import msgspec
from rich.console import Console

from .. import bundle, config, frames, objects, repo
from ..errors import MergelineError, RepositoryTrouble, Usage
from ..forge import event
from ..progress import step
from . import attribution, command, crossed, folder, judge, naming, report
from . import base as bases
from .base import Base
from .report import Attribution, Report

COMPARE = "Run `model compare` first."


def run(root: Path, *, base: str, summary: bool, json: bool) -> None:
    """Train the two crossed models, write what they show into report/, and print it.

    A crossed model that cannot be trained is no failure: the report says why nothing can be told.

    Raises:
        Usage: report/ is not of this working copy and this base.
        RepositoryTrouble: a change is not committed, so no checkout can have it.
        Integrity: there is no readable report.
    """
    made = report.read(root / report.FOLDER / report.JSON)
    if made.base is None or made.attribution is None:
        Console(soft_wrap=True).print("Nothing to attribute: data and code did not both change.")
        return
    if changed := repo.uncommitted(root):
        raise RepositoryTrouble(f"{changed[0]} has changes that no commit holds", "Commit them, and compare again.")
    commit = bases.find(root, base)
    with step("Candidate"):
        objects.repro(root, targets=bases.stages(root), say=folder.say)
    if (commit, bundle.identify(root / "bundle")) != (made.base.commit, made.candidate.bundle):
        raise Usage(f"{report.FOLDER}/ is of another base or candidate than these", COMPARE)
    with command.base_of(root, commit, base) as other:
        if other is None:
            raise Usage("there is no base", COMPARE)
        found = _measured(root, other, made)
    made = msgspec.structs.replace(made, attribution=found)
    text = folder.write(root, made)
    if summary:
        event.summarise(text)
    folder.show(root, text, json=json)


def _measured(root: Path, other: Base, made: Report) -> Attribution:
    judging, rules = other.params or config.params(root), other.gates or config.gates(root)
    held_out = frames.read(root / command.HELD_OUT)
    names = naming.kept(naming.of_schema(), other.root, held_out.columns)
    try:
        with step("Crossed models"), crossed.trained(root, other, folder.say) as (old_code, new_code):
            return attribution.run(
                {"base": other.root, "new data": old_code, "new code": new_code, "candidate": root},
                held_out,
                names,
                judge.unit(judging.compare.group, judging.split.group, names),
                rules,
                made.level,
            )
    except MergelineError as error:
        return Attribution(reason=f"a crossed model cannot be made: {error.args[0]}")
