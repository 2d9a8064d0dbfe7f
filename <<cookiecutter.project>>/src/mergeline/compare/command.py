"""`model compare`: train or restore both models, judge them on the same rows, write the report, ask the gates."""

import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import polars as pl

from .. import bundle, config, frames, objects, refits, repo
from ..bundle import Bundle
from ..config import Gates, Params
from ..errors import BadSettings, GateFailed, MergelineError
from ..forge import connect, event
from ..metrics import Metric
from ..progress import step
from . import base as bases
from . import (
    calibration,
    checks,
    cost,
    crossed,
    curves,
    data_diff,
    discovered,
    drift,
    fairness,
    flips,
    folder,
    folds,
    gates,
    importance,
    judge,
    limits,
    naming,
    notes,
    own_metrics,
    report,
    row_counts,
    settings,
    slices,
)
from .base import Base
from .judge import Names, Scored
from .report import Attribution, Report, Side, Slices

HELD_OUT = "data/held_out.parquet"
TRAINED_ON = "results/trained_on.parquet"
PROTECTED = (
    "gates.yaml",
    own_metrics.FILE,
    "src/mergeline/",
    "dvc.yaml",
    ".dvc/",
    ".dvcignore",
    ".github/",
    "infra/",
    "Dockerfile",
    "Makefile",
    "pyproject.toml",
    "requirements/",
)
"""What the code owners own (CODEOWNERS): a pull request's own code computes its numbers."""


def run(root: Path, *, base: str, summary: bool, open_page: bool, json: bool) -> None:
    """Write report/ and print it.

    Raises:
        GateFailed: a rule is broken; everything was written before.
    """
    params, own_gates = config.params(root), config.gates(root)
    gates.check(own_gates, params.task)
    commit = bases.find(root, base)
    with step("Candidate"):
        ran = objects.repro(root, targets=bases.stages(root), say=folder.say)
    with base_of(root, commit, base) as other, step("Verdict"):
        made = build(root, params, own_gates, ran, other, event.number())
    text = folder.write(root, made)
    event.tell(crossed="true" if made.attribution else "false")
    if summary:
        event.summarise(text)
    folder.show(root, text, json=json)
    if open_page:
        webbrowser.open((root / report.FOLDER / report.PAGE).as_uri())
    if fails := made.fails():
        raise GateFailed("; ".join(fails))


def build(
    root: Path, params: Params, own_gates: Gates, ran: list[str], other: Base | None, pull_request: int | None
) -> Report:
    """Judge the candidate in `root` against a base, and give all that is to be said."""
    rules = (other.gates if other else None) or own_gates
    judging = (other.params if other else None) or params
    if judging.task != params.task:
        raise BadSettings(
            f"params.yaml: the task changes from {judging.task} to {params.task}, which the base's rules cannot judge",
            "Start a project of its own for another task.",
        )
    gates.check(rules, params.task)
    suited = own_metrics.load(gates.suited(rules, params.task), other.root if other else None, root)
    held_out = frames.read(root / HELD_OUT)
    own, level = naming.of_schema(), judging.compare.level
    names = naming.kept(own, other.root, held_out.columns) if other else own
    limits.check_columns(rules, names.sensitive)
    candidate, theirs, reason = bundle.load(root / "bundle"), None, other.problem if other else None
    if other and reason is None:
        theirs, reason = _load(other, root, held_out, names)
    unit = judge.unit(judging.compare.group, judging.split.group, names)
    scored = judge.score(
        held_out,
        candidate,
        theirs,
        names,
        unit,
        trained_on=frames.read(other.root / TRAINED_ON) if other and theirs else None,
        reason=reason,
        anew=(refits.bundles(other.root, theirs), refits.bundles(root, candidate)) if other and theirs else ((), ()),
        seed=judging.seeds.compare,
    )
    reason = scored.reason
    rows = judge.table(scored, suited, rules, level)
    primary = suited[rules.primary]
    whole, columns = data_diff.run(other.root, root, names.label, names.sensitive) if other and theirs else ([], [])
    changed = repo.changed(root, other.commit) if other else []
    params_changed = settings.changed(other.root if other else None, root)
    both = scored.base is not None and crossed.asked(root, changed, params_changed)
    drifted, steady = drift.run(other.root, root, names) if other and theirs else ([], [])
    found = Report(
        name=candidate.signature.name,
        task=params.task,
        primary=rules.primary,
        level=level,
        word=rows[0].word if other else None,
        reason=reason or rows[0].reason,
        candidate=Side(commit=repo.head(root), bundle=candidate.id, stages=ran),
        base=Side(commit=other.commit, bundle=theirs.id if theirs else None, stages=other.ran) if other else None,
        judged=scored.judged,
        metrics=rows,
        slices=_slices(scored, candidate, names, primary, rules, level),
        fairness=fairness.run(scored, names.sensitive, level),
        flips=flips.run(scored, names),
        calibration=calibration.run(scored, candidate.signature.classes),
        noise=scored.anew.source,
        refits=scored.anew.count,
        folds=folds.run(other.root, root, (theirs, candidate), names, unit, rules, level) if other and theirs else None,
        attribution=Attribution() if both else None,
        rows=row_counts.run(other.root, root) if other and theirs else None,
        drift=drifted,
        steady=steady,
        checks=checks.run(
            root,
            held_out,
            candidate.signature,
            names,
            judging.split.group or params.split.group,
            judging.seeds.compare,
        ),
        cost=cost.run(other.root if other and theirs else None, root, (theirs, candidate), held_out),
        params=params_changed,
        data=whole,
        columns=columns,
        code=[path for path in changed if path.startswith("src/model/")],
        protected=[path for path in changed if path.startswith(PROTECTED)],
        notes=notes.of(
            root,
            params,
            judging,
            scored.judged,
            scored.anew.source if scored.base is not None else None,
            theirs is not None and theirs.id == candidate.id,
            sorted({*names.slices} - {*own.slices} | {*names.sensitive} - {*own.sensitive}),
            data_diff.constant(root, [column.name for column in candidate.signature.columns]),
            judge.undecided(scored),
        ),
        curves=curves.run(scored, params.task, names.label, candidate.signature.classes),
        importance=importance.run(other.root if other and theirs else None, root),
    )
    return gates.settle(found, rules, connect(root), pull_request, level)


def _slices(scored: Scored, candidate: Bundle, names: Names, metric: Metric, rules: Gates, level: float) -> Slices:
    """Judge the slices that schema.py names, but for sensitive columns (`fairness` has those), and search for more."""
    named = tuple(column for column in names.slices if column not in names.sensitive)
    kinds = {column.name: column.kind for column in candidate.signature.columns}
    matters = rules.metrics[metric.name].matters
    found, searched = discovered.run(scored, kinds, names, metric, matters, level)
    told = slices.run(scored, named, metric, matters, level)
    asked = slices.asked(scored, named, rules.slices, metric, told.moved)
    return msgspec.structs.replace(told, discovered=found, searched=searched, asked=asked)


@contextmanager
def base_of(root: Path, commit: str | None, rev: str) -> Iterator[Base | None]:
    """Enter the base's checkout, saying how long that took."""
    with ExitStack() as stack:
        with step("Base"):
            found = stack.enter_context(bases.restored(root, commit, rev, folder.say)) if commit else None
        yield found


def _load(other: Base, root: Path, held_out: pl.DataFrame, names: Names) -> tuple[Bundle | None, str | None]:
    """Load the base's bundle, or say why it cannot be judged."""
    theirs = bases.declared(other.root, "ROW_ID")
    if theirs is not None and theirs != names.row_id:
        return None, f"row id changed from {theirs} to {names.row_id}"
    known = frames.read(root / TRAINED_ON)["row_id"].to_list() + held_out[names.row_id].cast(pl.String).to_list()
    if not frames.read(other.root / TRAINED_ON)["row_id"].is_in(known).any():
        return None, "row id changed: no row that the base was trained on is known here"
    try:
        return bundle.load(other.root / "bundle"), None
    except MergelineError as error:
        return None, f"the base's bundle cannot be loaded: {error.args[0]}"
