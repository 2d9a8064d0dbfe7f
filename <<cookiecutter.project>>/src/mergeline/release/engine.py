"""The Docker engine of an environment whose target is docker: what Terraform's provider does not look after."""

import json
import re
from pathlib import Path

from .. import processes, repo, state
from ..errors import Conflict, DeploymentFailed
from . import pins, terraform

LABEL = "mergeline.environment"
PORT = re.compile(r"^\s*port\s*=\s*(\d+)", re.MULTILINE)
KINDS = ("container", "network")
"""In the order in which they can be removed. A volume of the same name is taken over."""


def prepare(root: Path, environment: str) -> None:
    """Make way for an apply.

    An apply that was killed may have made what its state does not know: that is removed, as its names are taken.

    Raises:
        ToolMissing: the command docker is not on the PATH.
        DeploymentFailed: no engine answers.
        Conflict: the port is taken, or the environment was deployed with another state.
    """
    need_engine(root)
    known = _known(terraform.folder(root, environment) / "terraform.tfstate")
    sound = {name for name, whole in known.items() if whole}
    for kind in KINDS:
        command = [kind, "ls", "--quiet", "--no-trunc", *(["--all"] if kind == "container" else [])]
        strays = set(_docker(root, *command, "--filter", f"label={label(root, environment)}").split()) - sound
        if strays and not known:
            raise Conflict(
                f"{environment} runs on this engine, and the state in {terraform.folder(root, environment)} knows nothing of it",
                "Deploy from where its state is, or remove the containers and networks with the label "
                f"{label(root, environment)}.",
            )
        if strays:
            _docker(root, kind, "rm", *(["--force"] if kind == "container" else []), *sorted(strays))
    _refuse_taken_port(root, environment)


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


def _known(path: Path) -> dict[str, bool]:
    """Give the ids of what the state knows, and whether each is whole; one that did not start is made again."""
    if not path.is_file():
        return {}
    resources = json.loads(path.read_text(encoding="utf-8") or "{}").get("resources", [])
    return {
        str(one["attributes"].get("id")): one.get("status") != "tainted"
        for resource in resources
        for one in resource["instances"]
    }


def _docker(root: Path, *arguments: str) -> str:
    """Give what docker prints. Raises ToolMissing, DeploymentFailed."""
    return repo.run(["docker", *arguments], root, failure=DeploymentFailed)
