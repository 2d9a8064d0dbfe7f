"""What git says against what runs: one issue says where they differ, and one command brings them together."""

from collections.abc import Sequence
from pathlib import Path

from .. import forge
from ..errors import MergelineError, Usage
from . import deploy, pins, status, targets
from .status import Environment, Status, Word

HEALED: tuple[Word, ...] = ("dead", "pending", "drifted")
"""In these a deployment of the pinned release brings environment and git together."""
REMEDIES: dict[Word, str] = {
    "rolled back": "`model rollback {}`, or pin a release that works",
    "foreign": "end what has its port, then `model reconcile {}`",
    "port taken": "end what has its port, then `model deploy {}`",
    "unknown": "let this machine read it, or look from one that may",
    "broken": "revert the commit that broke the pin",
}
MARKER = "reconcile"


def differences(found: Status, registry: Sequence[str] = ()) -> list[str]:
    """Say in a line each where what runs is not what git says, and what heals it.

    Args:
        found: the environments.
        registry: the same of MLflow's aliases, see `track.differing`.
    """
    lines = [f"**{e.name}** is {e.word}: {e.detail} ({_remedy(e)})" for e in found.environments if _differs(e)]
    return [*lines, *(f"**MLflow**: {line} (`model reconcile`)" for line in registry)]


def report(root: Path, lines: Sequence[str]) -> str:
    """Keep the one issue: open or update it with these lines, close it where there are none.

    Raises:
        Usage: no forge is connected.
        ForgeTrouble: it does not answer.
    """
    connected = forge.connect(root)
    if connected is None:
        raise Usage("there is no forge to open an issue on", "Leave --issue out, or run it in deploy.yml.")
    if not lines:
        closed = connected.close_issue(MARKER, "What runs is what git says again.")
        return f"Issue #{closed} is closed: nothing differs." if closed else "Nothing differs."
    body = "What runs is not what git says:\n\n" + "\n".join(f"- {line}" for line in lines)
    body += "\n\nThis issue closes itself when the next look finds no difference."
    number = connected.open_issue("What runs is not what git says", body, MARKER)
    return f"Issue #{number} says what differs."


def run(root: Path, environment: str | None) -> list[str]:
    """Deploy the pinned release wherever that brings an environment and git together; say what was done.

    Args:
        root: the project's folder.
        environment: one; None for all.

    Raises:
        MergelineError: of the first that could not be healed, after all were tried; see `deploy.run`.
    """
    if environment is not None:
        pins.check(root, environment)
    said: list[str] = []
    failed: MergelineError | None = None
    for name in [environment] if environment else pins.environments(root):
        found = status.look(root, name)
        if found.word not in HEALED:
            said.append(f"{name}: {found.word}" + (f"; {_remedy(found)}" if _differs(found) else ""))
            continue
        try:
            targets.of(root, name).recover(root, name)
            said.append(str(deploy.run(root, name).table()))
        except MergelineError as error:
            failed = failed or error
            said.append(f"{name}: {error.args[0]}")
    if failed is not None:
        raise type(failed)("; ".join(said), failed.remedy)
    return said


def _differs(found: Environment) -> bool:
    return found.word not in status.WELL


def _remedy(found: Environment) -> str:
    return REMEDIES.get(found.word, "`model reconcile {}`").format(found.name)
