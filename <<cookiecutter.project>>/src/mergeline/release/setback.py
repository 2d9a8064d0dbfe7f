"""After a deployment that failed: what ran before runs again, and whoever has to know is told."""

from pathlib import Path
from typing import Any

from .. import forge
from ..errors import ForgeTrouble, MergelineError
from . import experiment, ledger, manifest, pins, promotion, smoke, terraform
from .manifest import Pin


def put_back(root: Path, environment: str, before: dict[str, Any], rehearse: bool) -> str:
    """Put back what ran before; say what runs now.

    Args:
        root: the project's folder.
        environment: which.
        before: Terraform's outputs before the deployment.
        rehearse: nothing is to be left running.
    """
    try:
        if rehearse or not before:
            terraform.destroy(root, environment)
            return "nothing is left running"
        earlier = before.get("release_id")
        previous = ledger.ran(root, environment, earlier) if earlier else Pin(release=None)
        if previous is None:
            return f"release {manifest.short(earlier)}, which ran before, is in no pin of this history: nothing was put back"
        previous, bundle = _with_bundle(root, previous)
        at = terraform.folder(root, environment) / "previous.json"
        manifest.write(at, previous)
        try:
            terraform.apply(root, environment, replace=terraform.dead(root, environment), pin=at)
            if previous.release is None or bundle is None:
                return "nothing serves, as before"
            smoke.check(terraform.outputs(root, environment)["url"], bundle, previous.release)
        finally:
            at.unlink(missing_ok=True)
    except MergelineError as error:
        return f"and going back failed: {error.args[0]}"
    beside = f", {previous.experiment.words()} beside it" if previous.experiment else ""
    return f"rolled back, {previous.release.id[:12]} runs again{beside}"


def _with_bundle(root: Path, pin: Pin) -> tuple[Pin, Path | None]:
    """Give a pin and its release's bundle; without its experiment where that one's bundle is not to be had."""
    try:
        return pin, pins.fetch(root, pin)
    except MergelineError:
        alone = Pin(release=pin.release)
        return alone, pins.fetch(root, alone)


def tell(root: Path, environment: str, pin: Pin, before: str | None, reason: str, runs: str) -> str:
    """Where a forge is connected, open the pull request that makes the pin say what runs, and an issue; say so.

    Args:
        root: the project's folder.
        environment: which.
        pin: what was deployed.
        before: the id of the release that ran before.
        reason: why it failed, in a sentence.
        runs: what `put_back` said.
    """
    connected, release = forge.connect(root), pin.release
    if connected is None or release is None:
        return ""
    what = f"Release {release.id[:12]}"
    try:
        if before != release.id:
            proposed = promotion.rollback(root, environment, to=None, reason=reason, pull_request=True).rstrip(".")
        elif pin.experiment is not None:
            what = f"The experiment beside release {release.id[:12]}"
            proposed = experiment.stop(root, environment, pull_request=True).rstrip(".")
        else:
            what = f"A deployment of release {release.id[:12]}"
            proposed = (
                "mend the environment, or revert the commit that changed it: the release is the one that ran before"
            )
    except MergelineError as error:
        proposed = f"nothing was proposed: {error.args[0]}"
    body = (
        f"Commit `{pins.commit_of(root, environment)}` pins release `{release.id}` in {environment}.\n\n"
        f"- Failed: {reason}\n- Now: {runs}\n- Next: {proposed}\n\n"
        f"Until then `model status` says *rolled back*, and no later environment takes this release. "
        f"The next deployment of {environment} that succeeds closes this issue."
    )
    try:
        number = connected.open_issue(f"{what} failed in {environment}", body, _marker(environment))
    except ForgeTrouble as trouble:
        return f"; {proposed}; no issue was opened: {trouble.args[0]}"
    return f"; {proposed}; issue #{number}"


def settled(root: Path, environment: str, words: str) -> None:
    """Close the issue of an earlier failure, if there is one; a forge that is silent leaves it open."""
    try:
        connected = forge.connect(root)
        if connected is not None:
            connected.close_issue(_marker(environment), words)
    except ForgeTrouble:
        return


def _marker(environment: str) -> str:
    return f"deployment-{environment}"
