"""Deploy a pinned release: apply, wait, test, and go back at once when it fails."""

import os
from pathlib import Path
from typing import Any

import msgspec

from .. import config, processes
from ..errors import MergelineError
from ..forge import event
from . import pins, plan, records, setback, smoke, targets, terraform
from . import watch as watching
from .manifest import Release
from .records import Deployment
from .terraform import Action

HOSTED = "github-hosted"
"""What a machine says of itself (RUNNER_ENVIRONMENT) that vanishes with the job."""
REHEARSED = "rehearsed, nothing left running"


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What was deployed; `rows` is how many answers were compared, `watched` for how many minutes they were again,
    `planned` says with which plan.
    """

    environment: str
    release: str | None
    url: str | None
    rows: int
    watched: float
    actions: list[Action]
    rehearsed: bool
    planned: str
    record: str

    def table(self) -> Any:
        """Say it in a few lines."""
        words = f"{self.environment}: release {str(self.release)[:12]}"
        applied = f"kept as {self.record}; {self.planned}."
        tested = f"{self.rows} answers as tested" if self.rows else "answers (the bundle has no rows to test it with)"
        tested += f", watched for {self.watched:g} min" if self.watched else ""
        if self.release is None:
            return f"{self.environment}: no release is pinned, so nothing serves; infrastructure is in place; {applied}"
        if self.rehearsed:
            return f"{words} came up, {tested}; {REHEARSED}; {applied}"
        return f"{words} runs at {self.url}, {tested}; {applied}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that was done before, of all that git asks for now."""

    environment: str
    commit: str
    description: str

    def table(self) -> Any:
        """Say it in a line."""
        return f"{self.environment}: {self.commit[:12]} was deployed before ({self.description}): nothing to do."


def due(
    root: Path, environment: str, *, rehearse: bool = False, watch: bool = False, digest: str | None = None
) -> Deployed | Standing:
    """Deploy as `run` does, unless that was done since the environment's folder, its pin included, or a module changed.

    It asks the record of the commit that changed them last, so a deployment that never happened is made up for by the
    next one, whatever that one is for. Step output: `deployed`.

    Raises:
        ForgeTrouble: the forge, which keeps the records, does not answer; for the rest see `run`.
    """
    pins.check(root, environment)
    commit = plan.asked_by(root, environment)
    record = records.last(root, commit, environment)
    if (
        record is None
        or record.state != "success"
        or (REHEARSED in record.description and not vanishes(root, environment, rehearse=rehearse))
    ):
        return run(root, environment, rehearse=rehearse, watch=watch, digest=digest)
    event.tell(deployed="false")
    return Standing(environment=environment, commit=commit, description=record.description)


def run(
    root: Path, environment: str, *, rehearse: bool = False, watch: bool = False, digest: str | None = None
) -> Deployed:
    """Apply the committed pin and test it over HTTP. Step output: `deployed`.

    Args:
        root: the project's folder.
        environment: which.
        rehearse: destroy it afterwards, also when it failed; so is always one whose state is kept on a hosted runner.
        watch: repeat the test for as long as `promotion.watch_minutes` of gates.yaml says; not of a rehearsal.
        digest: of a plan to apply although the pull request shows another, see `plan.check`.

    Raises:
        Integrity, RepositoryTrouble: the pin, see `pins.committed`; its bundle, see `store.fetch`.
        Conflict: the plan is not the one that was reviewed, a port is taken, or another deployment is under way.
        ForgeTrouble: the forge, which has the reviewed plan, does not answer.
        DeploymentFailed: it did not pass; the previous release runs again.
    """
    pin = pins.committed(root, environment)
    release = pin.release
    target = targets.of(root, environment)
    rehearse = vanishes(root, environment, rehearse=rehearse)
    watched = config.gates(root).promotion.watch_minutes if watch and release and not rehearse else 0.0
    folder = pins.fetch(root, pin)
    with processes.locked(terraform.folder(root, environment) / "deploying", f"a deployment of {environment}"):
        terraform.init(root, environment)
        before = terraform.outputs(root, environment) or target.lost(root, environment)
        planned = plan.check(root, environment, digest)
        target.prepare(root, environment)
        try:
            actions = terraform.apply(root, environment, replace=terraform.dead(root, environment))
            url = terraform.outputs(root, environment).get("url")
            rows = smoke.check(str(url), folder, release) if release and folder else 0
            if release and folder and watched:
                watching.run(str(url), folder, release, watched)
        except MergelineError as error:
            words = setback.put_back(root, environment, before, rehearse)
            _record(root, environment, release, "failure", f"{error.args[0]}; {words}")
            words += setback.tell(root, environment, pin, before.get("release_id"), error.args[0], words)
            raise type(error)(f"{environment}: {error.args[0]}; {words}", error.remedy) from error
        if rehearse:
            terraform.destroy(root, environment)
        words = f"runs, {rows} answers as tested" if release else "no release is pinned"
        record = _record(root, environment, release, "success", REHEARSED if rehearse else words)
        setback.settled(root, environment, f"{pins.commit_of(root, environment)[:12]}: {words}.")
        if not rehearse:
            target.tidy(root, environment)
    event.tell(deployed="true")
    return Deployed(
        environment=environment,
        release=release.id if release else None,
        url=None if rehearse else url,
        rows=rows,
        watched=watched,
        actions=actions,
        rehearsed=rehearse,
        planned=planned,
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


def vanishes(root: Path, environment: str, *, rehearse: bool) -> bool:
    """Say whether nothing is to be left running: the machine that keeps the state may vanish with the job."""
    return rehearse or (terraform.kept_here(root, environment) and os.environ.get("RUNNER_ENVIRONMENT") == HOSTED)


def _record(root: Path, environment: str, release: Release | None, state: records.State, words: str) -> str:
    """Keep what happened on the commit that moved the pin, for the ledger, and on the one that `due` asks."""
    deployment = Deployment(
        environment=environment,
        release=release.id if release else None,
        state=state,
        description=words[:300],
        created=records.now(),
    )
    moved, asked = pins.commit_of(root, environment), plan.asked_by(root, environment)
    if asked != moved:
        records.write(root, asked, deployment)
    return records.write(root, moved, deployment)
