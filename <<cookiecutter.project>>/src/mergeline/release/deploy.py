"""Deploy a pinned release: apply, wait, test, and go back at once when it fails. The plan shows it beforehand."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
from rich.markdown import Markdown

from .. import forge, processes, store
from ..errors import MergelineError, Usage
from ..forge import event
from . import ledger, manifest, pins, promotion, records, smoke, terraform
from .manifest import Pin, Release
from .records import Deployment
from .terraform import Action

SUPERVISOR = "module.service.terraform_data.service"
HOSTED = "github-hosted"
"""What a machine says of itself (RUNNER_ENVIRONMENT) that vanishes with the job."""


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


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What was deployed; `rows` is how many answers were compared."""

    environment: str
    release: str | None
    url: str | None
    rows: int
    actions: list[Action]
    rehearsed: bool
    record: str | None

    def table(self) -> Any:
        """Say it in a few lines."""
        if self.release is None:
            return f"{self.environment}: no release is pinned, so nothing serves; infrastructure is in place."
        words = f"{self.environment}: release {self.release[:12]}"
        tested = f"{self.rows} answers as tested" if self.rows else "answers (the bundle has no rows to test it with)"
        if self.rehearsed:
            return f"{words} came up, {tested}; rehearsed, nothing left running."
        return f"{words} runs at {self.url}, {tested}; kept as {self.record}."


def plan(root: Path, environment: str, *, comment: bool = False) -> Plan:
    """Show what `run` would change.

    Raises:
        Integrity, RepositoryTrouble: the pin, see `pins.committed`.
        Usage: a comment is wanted but this run is of no pull request, or there is no forge.
        DeploymentFailed: Terraform's own error.
    """
    release = pins.committed(root, environment).release
    terraform.init(root, environment)
    running = terraform.outputs(root, environment).get("release_id")
    actions = terraform.plan(root, environment, replace=_dead(root, environment))
    pinned = release.id if release else None
    found = Plan(
        environment=environment,
        running=running,
        pinned=pinned,
        verdict=ledger.verdict_words(release) if release else None,
        actions=actions,
        digest=hashlib.sha256(msgspec.json.encode([running, pinned, actions])).hexdigest(),
    )
    if not comment:
        return found
    connected, run_of = forge.connect(root), event.pull_request()
    if connected is None or run_of is None:
        raise Usage("there is no pull request to comment on", "Leave --comment out, or run it in deploy.yml.")
    url = connected.comment(run_of.number, f"plan-{environment}", found.markdown())
    return msgspec.structs.replace(found, comment=url)


def run(root: Path, environment: str, *, rehearse: bool = False) -> Deployed:
    """Apply the committed pin and test it over HTTP.

    Args:
        root: the project's folder.
        environment: which.
        rehearse: destroy it afterwards, also when it failed; so is always a local environment on a hosted runner.

    Raises:
        Integrity, RepositoryTrouble: the pin, see `pins.committed`; its bundle, see `store.fetch`.
        Conflict: a port is taken, or another deployment of this environment is under way.
        DeploymentFailed: it did not pass; the previous release runs again.
    """
    release = pins.committed(root, environment).release
    rehearse = rehearse or (_local(root, environment) and os.environ.get("RUNNER_ENVIRONMENT") == HOSTED)
    folder = store.fetch(release.model.bundle_id, root, release.id) if release else None
    with processes.locked(terraform.folder(root, environment) / "deploying", f"a deployment of {environment}"):
        terraform.init(root, environment)
        before = terraform.outputs(root, environment)
        try:
            actions = terraform.apply(root, environment, replace=_dead(root, environment))
            url = terraform.outputs(root, environment).get("url")
            rows = smoke.check(str(url), folder, release) if release and folder else 0
        except MergelineError as error:
            words = _go_back(root, environment, before, rehearse)
            if release is not None:
                _record(root, environment, release, "failure", f"{error.args[0]}; {words}")
                words += _propose_rollback(root, environment, error.args[0])
            raise type(error)(f"{environment}: {error.args[0]}; {words}", error.remedy) from error
        if rehearse:
            terraform.destroy(root, environment)
        words = "rehearsed, nothing left running" if rehearse else f"runs, {rows} answers as tested"
        record = _record(root, environment, release, "success", words) if release else None
    return Deployed(
        environment=environment,
        release=release.id if release else None,
        url=None if rehearse else url,
        rows=rows,
        actions=actions,
        rehearsed=rehearse,
        record=record,
    )


def destroy(root: Path, environment: str) -> str:
    """Stop and remove what runs there; the pin stays.

    Raises:
        Usage: there is no such environment.
        Conflict: a deployment is under way.
        DeploymentFailed: Terraform's own error.
    """
    pins.check(root, environment)
    with processes.locked(terraform.folder(root, environment) / "deploying", f"a deployment of {environment}"):
        terraform.init(root, environment)
        terraform.destroy(root, environment)
    return f"{environment}: nothing is left running; `model deploy {environment}` brings it back."


def _go_back(root: Path, environment: str, before: dict[str, Any], rehearse: bool) -> str:
    """Put back what ran before a failed deployment; say what runs now."""
    try:
        if rehearse or not before:
            terraform.destroy(root, environment)
            return "nothing is left running"
        earlier = before.get("release_id")
        previous = ledger.releases(root).get(earlier) if earlier else None
        if earlier and previous is None:
            return f"release {earlier[:12]}, which ran before, is in no pin of this history: nothing was put back"
        at = terraform.folder(root, environment) / "previous.json"
        manifest.write(at, Pin(release=previous))
        try:
            terraform.apply(root, environment, pin=at)
            if previous is None:
                return "nothing serves, as before"
            url = terraform.outputs(root, environment)["url"]
            smoke.check(url, store.fetch(previous.model.bundle_id, root, previous.id), previous)
        finally:
            at.unlink(missing_ok=True)
    except MergelineError as error:
        return f"and going back failed: {error.args[0]}"
    return f"rolled back, {previous.id[:12]} runs again"


def _propose_rollback(root: Path, environment: str, reason: str) -> str:
    """Where a forge is connected, open the pull request that makes the pin say what runs; say so."""
    if forge.connect(root) is None:
        return ""
    try:
        return f"; {promotion.rollback(root, environment, to=None, reason=reason, pull_request=True)}".rstrip(".")
    except MergelineError as error:
        return f"; no rollback was proposed: {error.args[0]}"


def _dead(root: Path, environment: str) -> list[str]:
    """Name the resource to replace when Terraform believes in a supervisor that has died."""
    run_folder = terraform.folder(root, environment) / "run"
    applied = bool(terraform.outputs(root, environment).get("url"))
    return [SUPERVISOR] if applied and _local(root, environment) and not processes.held(run_folder / "lock") else []


def _local(root: Path, environment: str) -> bool:
    target = (root / pins.FOLDER / environment / "target.tf").read_text(encoding="utf-8")
    return '/modules/service/local"' in target


def _record(root: Path, environment: str, release: Release, state: records.State, words: str) -> str:
    deployment = Deployment(
        environment=environment, release=release.id, state=state, description=words[:300], created=records.now()
    )
    return records.write(root, pins.commit_of(root, environment), deployment)


def _short(release: str | None) -> str:
    return release[:12] if release else "none"
