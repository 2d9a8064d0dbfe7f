"""What happened when a pin was deployed: a commit status `deploy (ENV)`, or a git note where there is no forge."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from .. import forge, repo
from ..errors import ForgeTrouble, RepositoryTrouble

NOTES = "refs/notes/deployments"
State = Literal["success", "failure"]
NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "mergeline"), ("EMAIL", "mergeline@localhost"))
}


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment of the release that a commit pinned."""

    environment: str
    release: str | None
    state: State
    description: str
    created: str


def context(environment: str) -> str:
    """Give the name of the commit status."""
    return f"deploy ({environment})"


def write(root: Path, commit: str, deployment: Deployment) -> str:
    """Keep a record on the pin's commit; give where it is kept, or why it is not."""
    try:
        connected = forge.connect(root)
        if connected is not None:
            connected.status(commit, context(deployment.environment), deployment.state, deployment.description)
            return f"commit status {context(deployment.environment)}"
    except ForgeTrouble as trouble:
        missed = f" ({trouble})"
    else:
        missed = ""
    line = msgspec.json.encode(deployment).decode()
    identity = {} if _has_identity(root) else NOBODY
    try:
        repo.git(root, "notes", "--ref", NOTES, "append", "-m", line, commit, env=identity)
    except RepositoryTrouble as trouble:
        return f"no record: {trouble}{missed}"
    return f"git note{missed}"


def parse(note: str) -> list[Deployment]:
    """Read the lines of a note, oldest first; a line of another kind is left out."""
    found = []
    for line in filter(None, map(str.strip, note.splitlines())):
        try:
            found.append(msgspec.json.decode(line, type=Deployment))
        except msgspec.MsgspecError:
            continue
    return found


def of_forge(connected: forge.Forge, commit: str, environment: str, release: str | None) -> Deployment | None:
    """Ask the forge for the record on a pin's commit. Raises ForgeTrouble."""
    for status in connected.statuses(commit):
        if status.context == context(environment) and status.state in ("success", "failure", "error"):
            return Deployment(
                environment=environment,
                release=release,
                state="success" if status.state == "success" else "failure",
                description=status.description,
                created=status.created,
            )
    return None


def last(root: Path, commit: str, environment: str) -> Deployment | None:
    """Give the newest record on a commit, from the forge or a git note. Raises ForgeTrouble."""
    connected = forge.connect(root)
    found = of_forge(connected, commit, environment, None) if connected else None
    if found is not None:
        return found
    try:
        note = repo.git(root, "notes", "--ref", NOTES, "show", commit)
    except RepositoryTrouble:
        return None
    return next((d for d in reversed(parse(note)) if d.environment == environment), None)


def now() -> str:
    """Give the time in UTC, to the second; SOURCE_DATE_EPOCH sets it."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _has_identity(root: Path) -> bool:
    try:
        repo.git(root, "var", "GIT_COMMITTER_IDENT")
    except RepositoryTrouble:
        return False
    return True
