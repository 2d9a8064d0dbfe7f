"""`model comment`: the one comment and the status of a pull request, made by the base's code with the write token.

The pull request's own code wrote report.json, so nothing else of it is read, its words and gates are made again
from its numbers with the base's rules, and which pull request and commit this is about comes from the event.
"""

from pathlib import Path

from .. import config
from ..errors import ForgeTrouble, GateFailed, Integrity, Usage
from ..forge import Forge, State, connect, event
from ..forge.event import Event
from . import gates, markdown, report, words
from .report import OtherSchema, Report

MARKER = "<!-- mergeline: verdict -->"
CONTEXT = "mergeline/verdict"
OTHER_SCHEMA = "Report format changed by this pull request: see the job summary."
UNREADABLE = "The report of this pull request cannot be read: see the job summary and the log of its training."


def run(root: Path, path: Path) -> None:
    """Post or update the comment and set the status of the pull request that started this workflow run.

    Args:
        root: a checkout of the base, whose code this is and whose gates.yaml judges.
        path: the report.json that the pull request's training handed over.

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
    try:
        judged = gates.again(report.read(path), config.gates(root), pull.number, config.params(root).compare.level)
    except OtherSchema:
        _post(forge, pull, f"*{OTHER_SCHEMA}*", "error", OTHER_SCHEMA)
        return
    except Integrity:
        _post(forge, pull, f"*{UNREADABLE}*", "error", UNREADABLE)
        raise
    fails = judged.fails()
    description = f"{fails[0]}" if fails else words.sentence(judged, bold=False)
    _post(forge, pull, render(judged, pull), "failure" if fails else "success", description)
    if fails:
        raise GateFailed("; ".join(fails))


def render(judged: Report, pull: Event) -> str:
    """Give the comment's text; what it judged stands in a hidden line for later counting."""
    parts = {
        "rows": judged.judged.hash,
        "base": judged.base.bundle if judged.base else None,
        "candidate": judged.candidate.bundle,
    }
    known = " ".join(
        f"{name}={value if value and markdown.HEX.fullmatch(value) else 'none'}" for name, value in parts.items()
    )
    text = markdown.render(judged)
    return f"{text}\n<sub>{pull.head[:12]}, judged by the rules of {words.html(pull.base_branch)}</sub>\n\n<!-- judged: {known} -->"


def _post(forge: Forge, pull: Event, body: str, state: State, description: str) -> None:
    url = forge.comment(pull.number, MARKER, body)
    forge.status(pull.head, CONTEXT, state, words.clean(description, 140), url)
