"""Move an environment to another target: destroy with the old module, write target.tf, apply the pin with the new one."""

from pathlib import Path

from .. import processes, state
from ..errors import Integrity, MergelineError, Usage
from . import manifest, pins, smoke, targets, terraform
from .manifest import Pin, Release

LOCAL_ALONE = "dev"


def run(root: Path, environment: str, target: str) -> str:
    """Move an environment; say what runs now. Nothing answers from the destruction until the new target does.

    Raises:
        Usage: there is no such environment or target, it runs there already, or it may not.
        Integrity: the pin, or a target.tf that names no module.
        Conflict: a deployment is under way, or the port is taken.
        DeploymentFailed: the new target does not come up; the environment runs where it did before.
    """
    pins.check(root, environment)
    at = root / pins.FOLDER / environment / "target.tf"
    before = at.read_text(encoding="utf-8")
    pin = manifest.read_pin(root / pins.path(environment))
    release = pin.release
    old = terraform.target(root, environment)
    _refuse(root, environment, target, old, pin)
    folder = pins.fetch(root, pin)
    with processes.locked(terraform.folder(root, environment) / "deploying", f"a deployment of {environment}"):
        terraform.init(root, environment)
        ran = bool(terraform.outputs(root, environment))
        terraform.destroy(root, environment)
        try:
            at.write_text(targets.written(state.project(root), environment, target), encoding="utf-8")
            url = _apply(root, environment, target, release, folder)
        except MergelineError as error:
            words = _go_back(root, environment, before, ran)
            raise type(error)(f"{environment} on {target}: {error.args[0]}; {words}", error.remedy) from error
    runs = f"release {release.id[:12]} answers at {url}" if release else "no release is pinned"
    return f"{environment}: moved from {old} to {target}, {runs}. Commit {pins.FOLDER}/{environment}/target.tf."


def _refuse(root: Path, environment: str, target: str, old: str | None, pin: Pin) -> None:
    if old is None:
        raise Integrity(f"{pins.FOLDER}/{environment}/target.tf names no module of {targets.MODULES}")
    if target not in targets.TARGETS:
        raise Usage(f"there is no target {target!r:.80}", f"Name one of: {', '.join(sorted(targets.TARGETS))}.")
    if target == old:
        raise Usage(f"{environment} runs on {target} already", f"`model deploy {environment}` applies its pin.")
    if environment == LOCAL_ALONE:
        raise Usage(f"{environment} is always local", "Name another environment.")
    targets.need(root, environment, target, pin.releases)


def _apply(root: Path, environment: str, target: str, release: Release | None, folder: Path | None) -> str:
    terraform.init(root, environment)
    targets.TARGETS[target].prepare(root, environment)
    terraform.apply(root, environment)
    url = str(terraform.outputs(root, environment).get("url"))
    if release and folder:
        smoke.check(url, folder, release)
    targets.TARGETS[target].tidy(root, environment)
    return url


def _go_back(root: Path, environment: str, before: str, ran: bool) -> str:
    """Remove what came up, write the old target.tf, and apply it if it was applied before; say so."""
    try:
        terraform.destroy(root, environment)
        (root / pins.FOLDER / environment / "target.tf").write_text(before, encoding="utf-8")
        terraform.init(root, environment)
        if not ran:
            return "nothing ran before, and nothing does now"
        terraform.apply(root, environment)
    except MergelineError as error:
        return f"and going back failed: {error.args[0]}"
    return "it runs where it did before"
