"""What is pinned and what really runs: Terraform sees neither a dead process nor a foreign one."""

import json
import re
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich import box
from rich.table import Table

from .. import processes
from ..errors import DeploymentFailed, ForgeTrouble, Integrity
from . import ledger, manifest, pins, smoke, terraform
from .records import Deployment

Word = Literal[
    "running",
    "pending",
    "no release",
    "not deployed",
    "rehearsed",
    "dead",
    "foreign",
    "port taken",
    "rolled back",
    "broken",
]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment; `word` is the state, `detail` says more."""

    name: str
    word: Word
    pinned: str | None
    running: str | None
    url: str | None
    detail: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All environments."""

    environments: list[Environment]

    def table(self) -> Any:
        """Draw it."""
        table = Table(box=box.SIMPLE_HEAD)
        for title in ("environment", "state", "pinned", "runs", "where"):
            table.add_column(title, no_wrap=True)
        table.add_column("")
        colours = {
            "running": "green",
            "pending": "yellow",
            "no release": "dim",
            "not deployed": "dim",
            "rehearsed": "dim",
        }
        for e in self.environments:
            word = f"[{colours.get(e.word, 'bold red')}]{e.word}[/]"
            table.add_row(e.name, word, (e.pinned or "none")[:12], (e.running or "none")[:12], e.url or "", e.detail)
        return table


def run(root: Path) -> Status:
    """Look at every environment."""
    return Status(environments=[look(root, name) for name in pins.environments(root)])


def look(root: Path, name: str) -> Environment:
    """Compare one environment's pin with what answers."""
    try:
        release = manifest.read_pin(root / pins.path(name)).release
    except Integrity as error:
        return Environment(name=name, word="broken", pinned=None, running=None, url=None, detail=error.args[0])
    pinned = release.id if release else None
    record, trouble = _last(root, name, pinned)
    url = terraform.outputs(root, name).get("url")
    if not url:
        word, detail = _absent(root, name, record)
        return Environment(name=name, word=word, pinned=pinned, running=None, url=None, detail=detail or trouble)
    word, running, detail = _answers(root, name, url, pinned, record)
    return Environment(name=name, word=word, pinned=pinned, running=running, url=url, detail=detail or trouble)


def _answers(
    root: Path, name: str, url: str, pinned: str | None, record: Deployment | None
) -> tuple[Word, str | None, str]:
    folder = terraform.folder(root, name) / "run"
    if (terraform.folder(root, name) / "terraform.tfstate").is_file() and not processes.held(folder / "lock"):
        port = int(url.rpartition(":")[2])
        # The workers of a killed supervisor go on answering: they are ours, others are not.
        if any("--ready-fd" not in processes.command_of(pid) for pid in processes.listeners(port)):
            return "foreign", None, f"its supervisor is dead, and {processes.taker(port)} has the port"
        return "dead", None, f"its supervisor is dead: `model deploy {name}` starts it again"
    try:
        found = smoke.version(url)
    except DeploymentFailed as error:
        if "no release is pinned" in error.args[0]:
            return ("pending" if pinned else "no release"), None, ""
        return "dead", None, error.args[0]
    if "release" not in found:
        return "foreign", None, f"{url} is no server of ours"
    running = found["release"]
    if running == pinned:
        restarts = _restarts(folder)
        return "running", running, f"{restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    if record is not None and record.state == "failure":
        return "rolled back", running, f"pin pending: `model rollback {name}`; {record.description}"
    return "pending", running, f"`model deploy {name}` applies the pin"


def _absent(root: Path, name: str, record: Deployment | None) -> tuple[Word, str]:
    if record is not None and record.state == "success" and "rehearsed" in record.description:
        return "rehearsed", record.description
    port = re.search(
        r"^\s*port\s*=\s*(\d+)", (root / pins.FOLDER / name / "terraform.tfvars").read_text(), re.MULTILINE
    )
    taker = processes.taker(int(port[1])) if port else None
    if taker:
        return "port taken", f"port {port[1] if port else ''} is taken by {taker}"
    return "not deployed", f"`model deploy {name}`"


def _last(root: Path, name: str, pinned: str | None) -> tuple[Deployment | None, str]:
    try:
        return (ledger.last_deployment(root, name, pinned) if pinned else None), ""
    except ForgeTrouble as error:
        return None, str(error)


def _restarts(folder: Path) -> int:
    try:
        return int(json.loads((folder / "state.json").read_text()).get("restarts", 0))
    except (OSError, ValueError):
        return 0
