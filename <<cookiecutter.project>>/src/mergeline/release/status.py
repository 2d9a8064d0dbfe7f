"""What is pinned against what runs: a plan sees no dead or foreign process, an answer does not show drift."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich import box
from rich.table import Table

from .. import processes, state
from ..errors import DeploymentFailed, ForgeTrouble, Integrity, MergelineError
from . import engine, ledger, manifest, pins, smoke, targets, terraform
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
    "drifted",
    "broken",
    "unknown",
]
WELL: tuple[Word, ...] = ("running", "no release", "not deployed", "rehearsed")
"""In these there is nothing to heal."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment; `word` is the state, `detail` says more; `since` (UTC) and `approved_by` are of what runs."""

    name: str
    word: Word
    pinned: str | None
    running: str | None
    url: str | None
    detail: str = ""
    since: str | None = None
    approved_by: list[str] = []
    experiment: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All environments."""

    environments: list[Environment]

    def table(self) -> Any:
        """Draw it."""
        table = Table(box=box.SIMPLE_HEAD)
        for title in ("environment", "state", "pinned", "runs", "since", "where"):
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
            approved = f"approved by {', '.join(e.approved_by)}" if e.approved_by else ""
            said = "; ".join(filter(None, (e.detail, e.experiment, approved)))
            since = (e.since or "").replace("T", " ")[:16]
            table.add_row(e.name, word, manifest.short(e.pinned), manifest.short(e.running), since, e.url or "", said)
        return table


def run(root: Path) -> Status:
    """Look at every environment, all at once: most of the time is waiting for Terraform."""
    with ThreadPoolExecutor() as pool:
        return Status(environments=list(pool.map(partial(look, root), pins.environments(root))))


def look(root: Path, name: str) -> Environment:
    """Compare one environment's pin with what answers."""
    try:
        known = _known(root, name)
    except MergelineError as error:
        return _unknown(root, name, error)
    lost = {} if known else targets.of(root, name).lost(root, name)
    url = (known or lost).get("url")
    try:
        pin = manifest.read_pin(root / pins.path(name))
    except Integrity as error:
        running = _answers(root, name, url, None, None)[1] if url else None
        return Environment(name=name, word="broken", pinned=None, running=running, url=url, detail=error.args[0])
    pinned = pin.release.id if pin.release else None
    beside = pin.experiment.words() if pin.experiment else None
    record, trouble = _last(root, name, pinned)
    if not url:
        word, detail = _absent(root, name, record)
        return Environment(
            name=name,
            word=word,
            pinned=pinned,
            running=None,
            url=None,
            detail=detail or trouble,
            experiment=beside,
        )
    word, running, detail = _answers(root, name, url, pinned, record)
    if word == "dead" and pinned is None and not known.get("release_id") and not targets.of(root, name).here:
        word, detail = "no release", ""  # nothing there that could say so
    if lost and word in ("running", "pending"):
        word, detail = (
            "drifted",
            f"it runs, and Terraform's state is not here: where it is lost, `model reconcile {name}` takes it over",
        )
    elif word == "running" and (found := _drift(root, name)):
        word, detail = found
    return Environment(
        name=name,
        word=word,
        pinned=pinned,
        running=running,
        url=url,
        detail=detail or trouble,
        since=record.created if record and record.state == "success" and running == pinned else None,
        approved_by=_approved(root, name) if running and running == pinned and not trouble else [],
        experiment=beside,
    )


def _known(root: Path, name: str) -> dict[str, Any]:
    """Give Terraform's outputs; where another machine has deployed, this one has not been told yet where the state is."""
    try:
        return terraform.outputs(root, name)
    except DeploymentFailed:
        terraform.init(root, name)
        return terraform.outputs(root, name)


def _unknown(root: Path, name: str, reason: MergelineError) -> Environment:
    try:
        pin = manifest.read_pin(root / pins.path(name))
    except Integrity as error:
        return Environment(name=name, word="broken", pinned=None, running=None, url=None, detail=error.args[0])
    pinned = pin.release.id if pin.release else None
    detail = f"Terraform's state cannot be read: {reason.args[0]}"
    return Environment(name=name, word="unknown", pinned=pinned, running=None, url=None, detail=detail)


def _answers(
    root: Path, name: str, url: str, pinned: str | None, record: Deployment | None
) -> tuple[Word, str | None, str]:
    folder = terraform.folder(root, name) / "run"
    applied = (terraform.folder(root, name) / terraform.STATE).is_file()
    if applied and terraform.local(root, name) and not processes.held(folder / "lock"):
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
        restarts = int(state.supervisor(folder).get("restarts", 0))
        return "running", running, f"{restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    if record is not None and record.state == "failure":
        return "rolled back", running, f"pin pending: `model rollback {name}`; {record.description}"
    return "pending", running, f"`model deploy {name}` applies the pin"


def _drift(root: Path, name: str) -> tuple[Word, str] | None:
    """Say what Terraform would change although the pinned release runs; None where that is nothing."""
    try:
        terraform.init(root, name)
        actions = terraform.drift(root, name)
    except MergelineError as error:
        return "running", f"drift not looked for: {error.args[0]}"
    if not actions:
        return None
    words = ", ".join(f"{a.action} {a.address}" for a in actions)
    return "drifted", f"`model reconcile {name}` heals it; Terraform would {words}"


def _approved(root: Path, name: str) -> list[str]:
    try:
        return ledger.approvals(root, name)
    except ForgeTrouble:
        return []


def _absent(root: Path, name: str, record: Deployment | None) -> tuple[Word, str]:
    if record is not None and record.state == "success" and "rehearsed" in record.description:
        return "rehearsed", record.description
    if not targets.of(root, name).here:
        return "not deployed", f"`model deploy {name}`"
    port = engine.PORT.search((root / pins.FOLDER / name / "terraform.tfvars").read_text(encoding="utf-8"))
    taker = processes.taker(int(port[1])) if port else None
    if taker:
        return "port taken", f"port {port[1] if port else ''} is taken by {taker}"
    return "not deployed", f"`model deploy {name}`"


def _last(root: Path, name: str, pinned: str | None) -> tuple[Deployment | None, str]:
    try:
        return (ledger.last_deployment(root, name, pinned) if pinned else None), ""
    except ForgeTrouble as error:
        return None, str(error)
