"""`model experiment report`: read the log, take the rows that count, compare, and say what it showed."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import bundle, config, store
from ..bundle import Signature
from ..errors import BadData, Usage
from ..experiments import Course, moment
from ..verdict import Rule, Word
from . import figures, labels, notes, ratio, reading, sample, words
from .figures import Figure, Judge, Side
from .ratio import Ratio
from .reading import Answers
from .result import Arm, Result
from .sample import Sample

MILLI = 1000.0


def run(
    root: Path, course: Course, rules: Sequence[Rule], log: Path, *, labelled: Path | None, since: str | None
) -> Result:
    """Compare the two releases of an experiment.

    Args:
        root: the project's folder.
        course: of the experiment.
        rules: the metrics that gates.yaml names, the primary one first.
        log: the prediction log, a file or a folder.
        labelled: a file of labels that came later.
        since: the time from which on answers count, in ISO 8601; None takes that from which on the share held.

    Raises:
        Usage: `since` is no time.
        BadData: the log or the labels cannot be read, or no row of one of the releases counts.
        Integrity: a bundle of the two is nowhere, or is not what its hash says.
    """
    start = _moment(since) if since else course.since
    params = config.params(root)
    signatures = [
        _signature(root, of, release)
        for of, release in ((course.pinned_bundle, course.pinned), (course.bundle, course.release))
    ]
    known = labels.read(labelled, signatures[0]) if labelled else None
    answers, others = reading.read(log, course, max(len(signatures[0].classes), 1))
    paired = course.kind == "shadow"
    chosen = _chosen(answers, course, start)
    sides = [
        _side(answers, table, signature.threshold, known)
        for table, signature in zip((chosen.pinned, chosen.beside), signatures, strict=True)
    ]
    unit = _unit(chosen)
    judge = Judge(paired=paired, level=params.compare.level, seed=params.seeds.compare)
    checked = None if paired else ratio.check(_units(chosen.pinned), _units(chosen.beside), course.share)
    judged = _metrics(judge, rules, sides, signatures[0]) if known is not None else []
    if checked is not None and checked.broken:
        judged = [msgspec.structs.replace(figure, word=None) for figure in judged]
    arms = (chosen.pinned, chosen.beside)
    # A shadow answers nobody: its lines have no time, and that of a request is the pinned release's alone.
    timed = [sample.requests(own, None if paired else other) for own, other in (arms, arms[::-1])]
    made = [*judged, *_unlabelled(judge, sides, signatures[0]), *_latency(judge, timed)]
    word, said = _verdict(judged, rules, checked, judge.level, unit)
    return Result(
        environment=course.environment,
        kind=course.kind,
        share=course.share,
        key=course.key,
        since=start,
        ended=course.ended,
        level=judge.level,
        unit=unit,
        arms=_arms(course, chosen, sides, timed),
        ratio=checked,
        figures=made,
        notes=[
            *notes.unmeasured(made),
            *notes.left_out(chosen, others),
            *notes.labels(chosen, sides, known, paired=paired),
            *([notes.NO_LATENCY] if paired else []),
        ],
        word=word,
        verdict=said,
    )


def _moment(said: str) -> datetime:
    try:
        return moment(said)
    except ValueError:
        raise Usage(f"--since {said!r:.60} is no time", "Write 2026-11-29 or 2026-11-29T10:15Z.") from None


def _signature(root: Path, bundle_id: str, release: str) -> Signature:
    folder = store.fetch(bundle_id, root, release)
    return msgspec.json.decode((folder / bundle.SIGNATURE).read_bytes(), type=Signature)


def _chosen(answers: Answers, course: Course, since: datetime) -> Sample:
    start = since.timestamp()
    if course.kind == "shadow":
        found = sample.pairs(answers, start, course.ended.timestamp() if course.ended else None)
    else:
        found = sample.assigned(answers, start)
    if not len(found.pinned) or not len(found.beside):
        why = "; ".join(f"{count:,} {reason}" for reason, count in found.left_out.items() if count)
        raise BadData(
            f"no row of the {'pinned release' if not len(found.pinned) else course.kind} counts: {why or 'none is there'}",
            f"Counted from {since:%Y-%m-%d %H:%M} UTC; --since names another time.",
        )
    return found


def _side(answers: Answers, table: pl.DataFrame, threshold: float, known: pl.DataFrame | None) -> Side:
    given = labels.join(known, table) if known is not None else None
    return Side(answers.of(table), reading.codes(table["unit"]), threshold, given)


def _metrics(judge: Judge, rules: Sequence[Rule], sides: list[Side], signature: Signature) -> list[Figure]:
    """Judge the rows that have a label; of pairs both rows have it."""
    pinned, beside = (_with_labels(side, signature) for side in sides)
    return [judge.metric(rule, pinned, beside) for rule in rules]


def _with_labels(side: Side, signature: Signature) -> Side:
    given: NDArray[np.float64] = np.asarray(side.labels)
    there = np.isfinite(given)
    kind = np.float64 if signature.task == "regression" else np.int64
    units = np.unique(side.units[there], return_inverse=True)[1]
    return Side(side.scores[there], units, side.threshold, given[there].astype(kind))


def _unlabelled(judge: Judge, sides: list[Side], signature: Signature) -> list[Figure]:
    name, of = figures.score(signature)
    pinned, beside = sides
    found = [judge.mean(name, of(pinned.scores), of(beside.scores), (pinned.units, beside.units))]
    if judge.paired:
        far = np.abs(beside.scores - pinned.scores).max(axis=1)
        found.append(judge.moved("moved by", far, pinned.units))
        if signature.classes:
            found.append(judge.moved("flipped", figures.flipped(pinned, beside), pinned.units))
    return found


def _latency(judge: Judge, timed: list[pl.DataFrame]) -> list[Figure]:
    """Compare the mean time of requests; a shadow answers nobody, so there is nothing to compare."""
    if judge.paired:
        return []
    times = [MILLI * table["seconds"].to_numpy() for table in timed]
    if not all(map(len, times)):
        return []
    units = [reading.codes(table["unit"]) for table in timed]
    return [judge.mean("latency ms", times[0], times[1], units)]


def _units(table: pl.DataFrame) -> int:
    return table["unit"].n_unique()


def _unit(chosen: Sample) -> str:
    """Name what belongs together: keys, or requests where every key is that of one request."""
    both = pl.concat([chosen.pinned, chosen.beside]).select("unit", "request").unique()
    return "requests" if both["unit"].n_unique() == len(both) == both["request"].n_unique() else "keys"


def _arms(course: Course, chosen: Sample, sides: list[Side], timed: list[pl.DataFrame]) -> list[Arm]:
    found = []
    names = (("pinned", course.pinned), (course.kind, course.release))
    for (name, release), table, side, times in zip(names, (chosen.pinned, chosen.beside), sides, timed, strict=True):
        ms = MILLI * times["seconds"].to_numpy()
        found.append(
            Arm(
                name=name,
                release=release,
                requests=table["request"].n_unique(),
                rows=len(table),
                units=_units(table),
                labelled=int(np.isfinite(side.labels).sum()) if side.labels is not None else None,
                median_ms=float(np.median(ms)) if len(ms) else None,
                slow_ms=float(np.quantile(ms, 0.95)) if len(ms) else None,
            )
        )
    return found


def _verdict(
    judged: list[Figure], rules: Sequence[Rule], checked: Ratio | None, level: float, unit: str
) -> tuple[Word | None, str]:
    if checked is not None and checked.broken:
        return None, "No verdict: arms of another size than their share cannot be compared. Find out why first."
    if not judged:
        return None, f"No verdict: {rules[0].metric.name} needs labels. `--labels FILE` joins them."
    return judged[0].word, words.sentence(judged[0], level, unit)
