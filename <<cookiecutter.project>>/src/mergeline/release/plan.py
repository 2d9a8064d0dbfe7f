"""What a deployment would change: shown on the pull request that moves the pin, and planned again before it is applied."""

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
from rich.markdown import Markdown

from .. import forge, repo
from ..errors import Conflict, Usage
from ..forge import event
from . import ledger, pins, records, terraform
from .terraform import Action

MODULES = "infra/modules"
SHOWN = re.compile(r"^Digest `([0-9a-f]{16})`$", re.MULTILINE)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment would change; equal changes have equal digests."""

    environment: str
    running: str | None
    pinned: str | None
    verdict: str | None
    actions: list[Action]
    digest: str
    comment: str | None = None

    def markdown(self) -> str:
        """Give it for a comment and for the terminal."""
        lines = [f"### Plan for {self.environment}", ""]
        if self.running == self.pinned:
            lines.append(f"The release stays {_short(self.pinned)}.")
        else:
            lines.append(f"Release {_short(self.running)} → {_short(self.pinned)}")
            if self.verdict:
                lines[-1] += f" ({self.verdict})"
        lines += ["", *(f"- {a.action} `{a.address}`" for a in self.actions)]
        lines += [] if self.actions else ["Nothing changes."]
        return "\n".join([*lines, "", f"Digest `{self.digest[:16]}`"])

    def table(self) -> Any:
        """Draw it."""
        return Markdown(self.markdown())


def run(root: Path, environment: str, *, comment: bool = False) -> Plan:
    """Show what `deploy.run` would change.

    Raises:
        Integrity, RepositoryTrouble: the pin, see `pins.committed`.
        Usage: a comment is wanted but this run is of no pull request, or there is no forge.
        DeploymentFailed: Terraform's own error.
    """
    pins.committed(root, environment)
    terraform.init(root, environment)
    found = _make(root, environment)
    if not comment:
        return found
    connected, run_of = forge.connect(root), event.pull_request()
    if connected is None or run_of is None:
        raise Usage("there is no pull request to comment on", "Leave --comment out, or run it in deploy.yml.")
    url = connected.comment(run_of.number, _marker(environment), found.markdown())
    return msgspec.structs.replace(found, comment=url)


def asked_by(root: Path, environment: str) -> str:
    """Give the commit of this branch, often a merge, that last changed what an environment is made of."""
    parts = (f"{pins.FOLDER}/{environment}", MODULES)
    return repo.git(root, "log", "-1", "--first-parent", "--format=%H", "--", *parts)


def check(root: Path, environment: str, accepted: str | None) -> str:
    """Plan again, and refuse when the pull request that asks for this deployment shows another plan.

    Nothing is compared where no forge is connected, where no pull request or none with a plan asks for it, and where
    it was deployed before: then this repairs what runs. `terraform.init` ran before.

    Args:
        root: the project's folder.
        environment: which.
        accepted: a digest that somebody read in `model plan`, and wants applied whatever the pull request shows.

    Returns:
        What was compared, or why nothing was.

    Raises:
        Conflict: the digests differ: something moved since the plan was read.
        ForgeTrouble: the forge is connected and does not answer.
    """
    connected = forge.connect(root)
    if connected is None:
        return "plan not compared: no forge is connected"
    commit = asked_by(root, environment)
    record = records.last(root, commit, environment)
    if record is not None and record.state == "success":
        return f"plan not compared: {commit[:12]} was deployed before"
    request = connected.pull_request_of(commit)
    if request is None:
        return f"plan not compared: {commit[:12]} came by no pull request"
    shown = SHOWN.search(connected.commented(request.number, _marker(environment)) or "")
    if shown is None:
        return f"plan not compared: pull request #{request.number} shows no plan of {environment}"
    digest = _make(root, environment).digest[:16]
    if digest == shown[1]:
        return f"as planned in pull request #{request.number}"
    if digest == accepted:
        return f"as planned now (digest {digest}), not as in pull request #{request.number}"
    raise Conflict(
        f"{environment}: pull request #{request.number} shows the plan {shown[1]}, and by now it is {digest}; "
        "nothing was applied",
        f"Read `model plan {environment}`; `model deploy {environment} --digest {digest}` applies that one.",
    )


def _make(root: Path, environment: str) -> Plan:
    release = pins.committed(root, environment).release
    running = terraform.outputs(root, environment).get("release_id")
    actions = terraform.plan(root, environment, replace=terraform.dead(root, environment))
    pinned = release.id if release else None
    return Plan(
        environment=environment,
        running=running,
        pinned=pinned,
        verdict=ledger.verdict_words(release) if release else None,
        actions=actions,
        digest=hashlib.sha256(msgspec.json.encode([running, pinned, actions])).hexdigest(),
    )


def _marker(environment: str) -> str:
    return f"plan-{environment}"


def _short(release: str | None) -> str:
    return release[:12] if release else "none"
