"""A trial judged against the present settings, as a pull request is judged: the same rows, words and gates."""

from pathlib import Path

import msgspec

from .. import bundle, config, frames, refits
from ..trials import Told
from . import calibration, cost, fairness, flips, gates, judge, limits, naming, own_metrics, slices
from .command import HELD_OUT
from .report import Report, Side

NO_COMMIT = ""
"""A trial is in no commit yet."""


def judged(root: Path, present: Path, trial: Path) -> Told:
    """Judge the bundle of one folder against that of another by this working copy's gates.yaml.

    Rules of its section `data` are not asked: a trial changes no row.

    Args:
        root: the project, with its held-out rows.
        present: where the present settings were trained; bundle/ and results/ are read.
        trial: where the others were.

    Raises:
        BadSettings: gates.yaml names what does not exist.
        BadData: the held-out rows are not there.
    """
    params, rules = config.params(root), msgspec.structs.replace(config.gates(root), data={})
    gates.check(config.gates(root), params.task)
    suited = own_metrics.load(gates.suited(rules, params.task), None, root)
    names, level, primary = naming.of_schema(), params.compare.level, suited[rules.primary]
    limits.check_columns(rules, names.sensitive)
    held_out = frames.read(root / HELD_OUT)
    theirs, ours = bundle.load(present / "bundle"), bundle.load(trial / "bundle")
    scored = judge.score(
        held_out,
        ours,
        theirs,
        names,
        judge.unit(params.compare.group, params.split.group, names),
        anew=(refits.bundles(present, theirs), refits.bundles(trial, ours)),
        seed=params.seeds.compare,
    )
    rows = judge.table(scored, suited, rules, level)
    shown = tuple(column for column in names.slices if column not in names.sensitive)
    matters = rules.metrics[rules.primary].matters
    told = slices.run(scored, shown, primary, matters, level)
    asked = slices.asked(scored, shown, rules.slices, primary, told.moved)
    report = Report(
        name=ours.signature.name,
        task=params.task,
        primary=rules.primary,
        level=level,
        word=rows[0].word,
        reason=scored.reason or rows[0].reason,
        candidate=Side(commit=NO_COMMIT, bundle=ours.id),
        base=Side(commit=NO_COMMIT, bundle=theirs.id),
        judged=scored.judged,
        metrics=rows,
        slices=msgspec.structs.replace(told, asked=asked),
        fairness=fairness.run(scored, names.sensitive, level),
        flips=flips.run(scored, names),
        calibration=calibration.run(scored, ours.signature.classes),
        noise=scored.anew.source,
        cost=cost.run(present, trial, (theirs, ours), held_out),
    )
    broken = msgspec.structs.replace(report, gates=gates.judge(rules, report, level=level)).fails()
    difference = rows[0].difference
    return Told(
        metric=rules.primary,
        level=level,
        matters=matters,
        word=rows[0].word,
        noise=report.noise,
        present=rows[0].base,
        trial=rows[0].candidate,
        difference=difference.value if difference else None,
        interval=difference.interval if difference else None,
        reason=report.reason,
        refused=broken,
    )
