"""The Docker engine of an environment whose target is docker: what Terraform's provider does not look after."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from .. import files, processes, repo, state
from ..errors import Conflict, DeploymentFailed, MergelineError
from . import pins, terraform

LABEL = "mergeline.environment"
PORT = re.compile(r"^\s*port\s*=\s*(\d+)", re.MULTILINE)
KINDS = ("container", "network")
"""In the order in which they can be removed. A volume of the same name is taken over."""
KEPT = f"/tmp/{terraform.STATE}"  # noqa: S108 - on the gateway's volume
"""Where a copy of the state lies in the gateway's container."""


def prepare(root: Path, environment: str) -> None:
    """Make way for an apply.

    An apply that was killed may have made what its state does not know: that is removed, as its names are taken.

    Raises:
        ToolMissing: the command docker is not on the PATH.
        DeploymentFailed: no engine answers.
        Conflict: the port is taken, or the environment was deployed with another state.
    """
    need_engine(root)
    own = _state(terraform.folder(root, environment) / terraform.STATE)
    known = _known(own)
    _refuse_older(root, environment, own)
    sound = {name for name, whole in known.items() if whole}
    for kind in KINDS:
        command = [kind, "ls", "--quiet", "--no-trunc", *(["--all"] if kind == "container" else [])]
        strays = set(_docker(root, *command, "--filter", f"label={label(root, environment)}").split()) - sound
        if strays and not known:
            raise Conflict(
                f"{environment} runs on this engine, and the state in {terraform.folder(root, environment)} knows nothing of it",
                f"Deploy from where its state is; where that is lost, {_way_back(root, environment)}.",
            )
        if strays:
            _docker(root, kind, "rm", *(["--force"] if kind == "container" else []), *sorted(strays))
    _refuse_taken_port(root, environment)


def keep(root: Path, environment: str) -> None:
    """Keep a copy of the state with what it describes. Raises ToolMissing, DeploymentFailed."""
    _docker(root, "cp", str(terraform.folder(root, environment) / terraform.STATE), _kept_at(root, environment))


def lost(root: Path, environment: str) -> dict[str, Any]:
    """Give the outputs of the state that is kept with what runs; empty where none is."""
    return terraform.outputs_in(_kept(root, environment))


def recover(root: Path, environment: str) -> None:
    """Bring a lost state back from its copy, where there is one."""
    at = terraform.folder(root, environment) / terraform.STATE
    if not at.is_file() and (text := _kept(root, environment)):
        files.write(at, text.encode())


def need_engine(root: Path) -> None:
    """Refuse where there is no engine. Raises ToolMissing, DeploymentFailed."""
    try:
        _docker(root, "version", "--format", "{{.Server.Version}}")
    except DeploymentFailed as error:
        raise DeploymentFailed(
            f"no Docker engine answers: {error.args[0]}", "Start it, or name one in DOCKER_HOST."
        ) from error


def label(root: Path, environment: str) -> str:
    """Give what the module labels everything of an environment with."""
    return f"{LABEL}={state.project(root)}-{environment}"


def _refuse_taken_port(root: Path, environment: str) -> None:
    settings = root / pins.FOLDER / environment / "terraform.tfvars"
    found = PORT.search(settings.read_text(encoding="utf-8"))
    if found is None:
        return
    port = int(found[1])
    publishing = ["ps", "--filter", f"publish={port}", "--format", "{{.Names}}"]
    if _docker(root, *publishing, "--filter", f"label={label(root, environment)}"):
        return
    names = _docker(root, *publishing).split()
    here = (terraform.docker_host(root) or "unix:").startswith("unix:")
    taker = f"the container {names[0]}" if names else processes.taker(port) if here else None
    if taker:
        raise Conflict(
            f"port {port} is taken by {taker}",
            f"Stop it, or choose another port in {settings.relative_to(root).as_posix()}.",
        )


def _refuse_older(root: Path, environment: str, own: dict[str, Any]) -> None:
    """Refuse a state that somebody else took over, and applied since: what it does not know would be removed."""
    kept = json.loads(_kept(root, environment) or "{}")
    if kept and own.get("lineage") == kept["lineage"] and own["serial"] < kept["serial"]:
        at = terraform.folder(root, environment) / terraform.STATE
        raise Conflict(
            f"{environment} was deployed from elsewhere since the state in {at.parent} was written",
            f"Deploy from there, or remove {at} and `model reconcile {environment}` takes over what runs.",
        )


def _way_back(root: Path, environment: str) -> str:
    if _kept(root, environment):
        return f"`model reconcile {environment}` takes over what runs"
    return f"remove the containers and networks with the label {label(root, environment)}"


def _kept_at(root: Path, environment: str) -> str:
    return f"{state.project(root)}-{environment}-gateway:{KEPT}"


def _kept(root: Path, environment: str) -> str:
    """Give the text of the state that is kept with what runs; empty where none is."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / terraform.STATE
        try:
            _docker(root, "cp", _kept_at(root, environment), str(at))
        except MergelineError:
            return ""
        return at.read_text(encoding="utf-8")


def _state(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8") or "{}") if path.is_file() else {}
    return found


def _known(own: dict[str, Any]) -> dict[str, bool]:
    """Give the ids of what a state knows, and whether each is whole; one that did not start is made again."""
    return {
        str(one["attributes"].get("id")): one.get("status") != "tainted"
        for resource in own.get("resources", [])
        for one in resource["instances"]
    }


def _docker(root: Path, *arguments: str) -> str:
    """Give what docker prints. Raises ToolMissing, DeploymentFailed."""
    return repo.run(["docker", *arguments], root, failure=DeploymentFailed)
