"""`model compare`: train or restore both models, judge them on the same rows, write the report, ask the gates."""

import sys
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from rich.console import Console
from rich.markdown import Markdown

from .. import bundle, config, frames, objects, refits, repo
from ..bundle import Bundle
from ..config import Gates, Params
from ..errors import BadData, BadSettings, GateFailed, MergelineError, your_code
from ..forge import connect, event
from ..metrics import Metric
from ..progress import step
from . import base as bases
from . import (
    calibration,
    checks,
    cost,
    curves,
    data_diff,
    discovered,
    drift,
    fairness,
    flips,
    folds,
    gates,
    importance,
    judge,
    limits,
    markdown,
    own_metrics,
    page,
    report,
    row_counts,
    slices,
)
from .base import Base
from .judge import Names, Scored
from .report import Change, Report, Side, Slices

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
WIDE = 120
CHATTER = (
    ">",
    "\t",
    "Updating lock",
    "Generating lock",
    "To track",
    "To enable",
    "Use `dvc push`",
    "Data and pipelines",
    "Stage '",
)


def run(root: Path, *, base: str, summary: bool, open_page: bool, json: bool) -> None:
    """Write report/ and print it.

    Raises:
        GateFailed: a rule is broken; everything was written before.
    """
    params, own_gates = config.params(root), config.gates(root)
    gates.check(own_gates, params.task)
    commit = bases.find(root, base)
    with step("Candidate"):
        ran = objects.repro(root, targets=bases.stages(root), say=_say)
    with _base(root, commit, base) as other, step("Verdict"):
        made = build(root, params, own_gates, ran, other, event.number())
    folder = root / report.FOLDER
    folder.mkdir(exist_ok=True)
    report.write(folder, made)
    text = markdown.render(made)
    (folder / report.MARKDOWN).write_text(text, encoding="utf-8")
    (folder / report.PAGE).write_text(page.render(made), encoding="utf-8")
    if summary:
        event.summarise(text)
    if json:
        sys.stdout.write((folder / report.JSON).read_text(encoding="utf-8"))
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(Markdown(markdown.plain(text), hyperlinks=False))
        Console(soft_wrap=True).print(f"[dim]{(folder / report.PAGE).relative_to(root)} has the plots.[/]")
    if open_page:
        webbrowser.open((folder / report.PAGE).as_uri())
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
    own, level = schema_names(), judging.compare.level
    names = _kept(own, other.root, held_out.columns) if other else own
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
        anew=(_anew(other.root, theirs), _anew(root, candidate)) if other and theirs else ((), ()),
        seed=judging.seeds.compare,
    )
    reason = scored.reason
    rows = judge.table(scored, suited, rules, level)
    primary = suited[rules.primary]
    whole, columns = data_diff.run(other.root, root, names.label, names.sensitive) if other and theirs else ([], [])
    changed = repo.changed(root, other.commit) if other else []
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
        rows=row_counts.run(other.root, root) if other and theirs else None,
        drift=drift.run(other.root, root, names) if other and theirs else [],
        checks=checks.run(
            root,
            held_out,
            candidate.signature,
            names,
            judging.split.group or params.split.group,
            judging.seeds.compare,
        ),
        cost=cost.run(other.root if other and theirs else None, root, (theirs, candidate), held_out),
        params=_params(other.root if other else None, root),
        data=whole,
        columns=columns,
        code=[path for path in changed if path.startswith("src/model/")],
        protected=[path for path in changed if path.startswith(PROTECTED)],
        notes=_notes(
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
        curves=curves.run(scored, params.task),
        importance=importance.run(other.root if other and theirs else None, root),
    )
    return gates.settle(found, rules, connect(root), pull_request, level)


def _anew(root: Path, model: Bundle) -> list[Bundle]:
    return [bundle.with_model(model, found) for found in refits.models(root)]


def _slices(scored: Scored, candidate: Bundle, names: Names, metric: Metric, rules: Gates, level: float) -> Slices:
    """Judge the slices that schema.py names, but for sensitive columns (`fairness` has those), and search for more."""
    named = tuple(column for column in names.slices if column not in names.sensitive)
    kinds = {column.name: column.kind for column in candidate.signature.columns}
    matters = rules.metrics[metric.name].matters
    found, searched = discovered.run(scored, kinds, names, metric, matters, level)
    told = slices.run(scored, named, metric, matters, level)
    asked = slices.asked(scored, named, rules.slices, metric, told.moved)
    return msgspec.structs.replace(told, discovered=found, searched=searched, asked=asked)


def schema_names() -> Names:
    """Give the names of src/model/schema.py. Raises BrokenCode, or BadData when one is not there."""
    with your_code("schema.py"):
        from model import schema

    try:
        sensitive = tuple(getattr(schema, "SENSITIVE", ()))
        return Names(schema.LABEL, schema.ROW_ID, schema.TIME, tuple(schema.SLICES), sensitive)
    except AttributeError as error:
        raise BadData(f"src/model/schema.py: {error}", "Add it; the README has the list.") from error


def _kept(own: Names, base: Path, columns: list[str]) -> Names:
    """Add the slices and sensitive columns of the base: a pull request cannot drop what it is judged by."""
    slices = (*own.slices, *bases.names(base, "SLICES", columns))
    sensitive = (*own.sensitive, *bases.names(base, "SENSITIVE", columns))
    return replace(own, slices=tuple(dict.fromkeys(slices)), sensitive=tuple(dict.fromkeys(sensitive)))


@contextmanager
def _base(root: Path, commit: str | None, rev: str) -> Iterator[Base | None]:
    """Enter the base's checkout, saying how long that took."""
    with ExitStack() as stack:
        with step("Base"):
            found = stack.enter_context(bases.restored(root, commit, rev, _say)) if commit else None
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


def _params(base: Path | None, root: Path) -> list[Change]:
    """Give the keys of params.yaml that differ, with dots."""
    if base is None:
        return []
    sides = [_flat(objects.parse_yaml((folder / config.PARAMS).read_bytes())) for folder in (base, root)]
    return [
        Change(name=key, base=sides[0].get(key), candidate=sides[1].get(key))
        for key in dict.fromkeys([*sides[0], *sides[1]])
        if sides[0].get(key) != sides[1].get(key)
    ]


def _flat(found: Any, before: str = "") -> dict[str, str]:
    if not isinstance(found, dict):
        return {before: msgspec.json.encode(found, enc_hook=str).decode().strip('"')}
    return {
        key: value
        for name, inner in found.items()
        for key, value in _flat(inner, f"{before}.{name}" if before else str(name)).items()
    }


def _notes(
    root: Path,
    params: Params,
    judging: Params,
    judged: report.Judged,
    noise: report.Noise | None,
    identical: bool,
    dropped: list[str],
    constant: list[str],
    undecided: list[str],
) -> list[str]:
    """Say what a careful reader must know beside the numbers."""
    usual = config.Export()
    return [
        text
        for text, applies in {
            "Both bundles are byte for byte the same.": identical,
            "There is neither a group nor a time column: rows were judged as if independent.": judged.group is None,
            f"Only {judged.groups} groups: intervals from fewer than {report.FEW_GROUPS} are themselves uncertain.": (
                report.FEWEST_GROUPS <= judged.groups < report.FEW_GROUPS
            ),
            f"Only {judged.rows:,} of {judged.held_out:,} held-out rows judge: the base was trained on the others.": (
                judged.rows < judged.held_out / 2
            ),
            f"export.tolerance is {params.export.tolerance:g} (usually {usual.tolerance:g}).": (
                params.export.tolerance > usual.tolerance
            ),
            f"export.max_flips is {params.export.max_flips} (usually {usual.max_flips}).": (
                params.export.max_flips > usual.max_flips
            ),
            "Training noise was not measured (compare.refits is 1): the intervals hold the chance in the rows alone.": (
                noise == "not measured" and judged.rows > 0 and not identical
            ),
            "Training noise is the base's own: this pull request trained nothing anew (compare.refits).": (
                noise == "of the base"
            ),
            "`compare` of params.yaml changed; the base's was applied.": params.compare != judging.compare,
            f"src/model/schema.py drops {', '.join(dropped)}, by which the base is judged; so is this.": bool(dropped),
            f"{', '.join(constant)}: the same value in all raw rows, of which no model learns.": bool(constant),
            f"All held-out rows get the same score from the {' and the '.join(undecided)}.": bool(undecided),
            "There are uncommitted changes: the numbers are of the working copy.": bool(repo.uncommitted(root)),
        }.items()
        if applies
    ]


def _say(line: str) -> None:
    """Pass on what a stage says, and of DVC's own lines those that name a stage that runs."""
    if line.strip() and not line.startswith(CHATTER):
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(line, style="dim")
