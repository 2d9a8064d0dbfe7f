"""What a careful reader must know beside the numbers."""

from pathlib import Path

from .. import config, repo
from ..config import Params
from . import report


def of(
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
