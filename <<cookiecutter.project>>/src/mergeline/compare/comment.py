"""`model comment`: the one comment and the status of a pull request, made by the base's code with the write token.

The pull request's own code wrote report.json, so nothing else of it is read, its words and gates are made again
from its numbers with the base's rules, and which pull request and commit this is about comes from the event.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from .. import config
from ..errors import ForgeTrouble, GateFailed, Integrity, Usage
from ..forge import Comment, Forge, State, connect, event
from ..forge.event import Event
from . import gates, looks, markdown, report, words
from .looks import Judged
from .report import OtherSchema, Report

MARKER = "<!-- mergeline: verdict -->"
CONTEXT = "mergeline/verdict"
OTHER_SCHEMA = "Report format changed by this pull request: see the job summary."
UNREADABLE = "The report of this pull request cannot be read: see the job summary and the log of its training."


def run(root: Path, path: Path, released: Collection[str] = ()) -> None:
    """Post or update the comment and set the status of the pull request that started this workflow run.

    Args:
        root: a checkout of the base, whose code this is and whose gates.yaml judges.
        path: the report.json that the pull request's training handed over.
        released: the bundles of all releases.

    Raises:
        Usage: this run is of no pull request.
        ForgeTrouble: there is no forge, or it refuses.
        GateFailed, Integrity: a rule is broken, or the report is not what it should be; the comment was posted.
    """
    pull = event.pull_request()
    if pull is None:
        raise Usage("this run is of no pull request", "Run it in a workflow that pull_request starts.")
    forge = connect(root)
    if forge is None:
        raise ForgeTrouble("there is no forge to comment on", "Set GITHUB_TOKEN and GITHUB_REPOSITORY.")
    rules, level = config.gates(root), config.params(root).compare.level
    said = _said(forge)
    before = [one for comment in said or () if comment.number == pull.number for one in looks.read(comment.body)]
    try:
        judged = gates.again(report.read(path), rules, level)
    except OtherSchema:
        _post(forge, pull, _with(f"*{OTHER_SCHEMA}*", before), "error", OTHER_SCHEMA)
        return
    except Integrity:
        _post(forge, pull, _with(f"*{UNREADABLE}*", before), "error", UNREADABLE)
        raise
    bodies = None if said is None else [comment.body for comment in said]
    known = None if bodies is None else looks.count(_looked(judged), bodies, released)
    judged = gates.settle(msgspec.structs.replace(judged, looks=known), rules, forge, pull.number, level)
    fails = judged.fails()
    description = f"{fails[0]}" if fails else words.sentence(judged, bold=False)
    _post(forge, pull, render(judged, pull, before), "failure" if fails else "success", description)
    if fails:
        raise GateFailed("; ".join(fails))


def render(judged: Report, pull: Event, before: Sequence[Judged] = ()) -> str:
    """Give the comment's text; what it judged, now and before, stands in hidden lines for later counting."""
    hidden = [_looked(judged), *before]
    text = markdown.render(judged, spare=len(looks.lines(hidden)))
    return _with(
        f"{text}\n<sub>{pull.head[:12]}, judged by the rules of {words.escape(pull.base_branch)}</sub>", hidden
    )


def _with(text: str, hidden: Sequence[Judged]) -> str:
    return f"{text}\n\n{looks.lines(hidden)}" if hidden else text


def _looked(judged: Report) -> Judged:
    known = (judged.judged.hash, judged.base.bundle if judged.base else None, judged.candidate.bundle)
    return Judged(*(value if value and markdown.HEX.fullmatch(value) else "none" for value in known))


def _said(forge: Forge) -> list[Comment] | None:
    """Give the comments that say what they judged; None, with a line in the log, where the forge does not tell."""
    try:
        return forge.comments(looks.MARK)
    except ForgeTrouble as why:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"Looks are not counted: {why}")
        return None


def _post(forge: Forge, pull: Event, body: str, state: State, description: str) -> None:
    url = forge.comment(pull.number, MARKER, body)
    forge.status(pull.head, CONTEXT, state, words.clean(description, 140), url)
