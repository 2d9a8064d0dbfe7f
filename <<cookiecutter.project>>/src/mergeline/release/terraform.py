"""Terraform of one environment: its state and plugins lie in the state folder, never in the working copy."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .. import processes, repo, state
from ..errors import Conflict, DeploymentFailed, Integrity, MergelineError, ToolMissing
from . import interrupted, pins

SOURCE = re.compile(r'^\s*source\s*=\s*"\.\./\.\./modules/service/([a-z]+)/?"', re.MULTILINE)
BACKEND = re.compile(r'^\s*backend\s+"([a-z0-9]+)"', re.MULTILINE)
STATE = "terraform.tfstate"
SUPERVISOR = "module.service.terraform_data.service"
PREPARING = Lock()
"""Two that download providers at once into one cache (TF_PLUGIN_CACHE_DIR) may break it."""
ERRORS: dict[int, type[MergelineError]] = {Conflict.code: Conflict, Integrity.code: Integrity}


class Action(msgspec.Struct, frozen=True, order=True):
    """What Terraform does to one resource: create, update, replace, delete."""

    address: Annotated[str, Meta(pattern=r'^[\w.\-\[\]"/:]{1,300}$')]
    action: Annotated[str, Meta(pattern=r"^[a-z]{1,20}$")]


class Planned(msgspec.Struct, frozen=True):
    """What an apply would do, sorted by address, and the root's outputs as they would be then."""

    actions: list[Action]
    outputs: dict[str, Any]


def folder(root: Path, environment: str) -> Path:
    """Give where an environment's state lies."""
    return state.environment_folder(state.project(root), environment)


def init(root: Path, environment: str) -> None:
    """Prepare the environment's folder, one at a time. Raises ToolMissing, DeploymentFailed."""
    at = folder(root, environment)
    at.mkdir(parents=True, exist_ok=True)
    if kept_here(root, environment):
        where = [f"-backend-config=path={at / STATE}"]
    else:
        files = (root / pins.FOLDER / environment).glob(f"state.{backend(root, environment)}.tfbackend")
        where = [f"-backend-config={file.name}" for file in files]
    with PREPARING:
        _say(root, environment, "init", "-input=false", "-reconfigure", *where)


def plan(root: Path, environment: str, *, replace: Sequence[str] = (), lock: bool = True) -> Planned:
    """Give what an apply would do; without `lock` it gets in no deployment's way.

    Raises:
        DeploymentFailed, Conflict: Terraform's own error; another run holds the state.
    """
    at = folder(root, environment) / f"plan-{os.getpid()}"
    try:
        more = [f"-replace={a}" for a in replace] + ([] if lock else ["-lock=false"])
        actions = _actions(_run(root, environment, "plan", f"-out={at}", *more), "planned_change")
        shown = json.loads(_say(root, environment, "show", "-json", str(at)))
    finally:
        at.unlink(missing_ok=True)  # it holds values in clear
    outputs = shown.get("planned_values", {}).get("outputs", {})
    return Planned(actions, _values(outputs))


def drift(root: Path, environment: str) -> list[Action]:
    """Give what an apply would do, in no deployment's way. Raises ToolMissing, DeploymentFailed."""
    return _actions(_run(root, environment, "plan", "-lock=false"), "planned_change")


def apply(root: Path, environment: str, *, replace: Sequence[str] = (), pin: Path | None = None) -> list[Action]:
    """Bring the environment to its pin, or to the one in the file `pin`; give what was done.

    Raises:
        Conflict, Integrity, DeploymentFailed: what the target's own error says.
    """
    more = [f"-replace={a}" for a in replace] + ([f"-var=pin_file={pin}"] if pin else [])
    return _actions(_run(root, environment, "apply", "-auto-approve", *more), "planned_change")


def destroy(root: Path, environment: str) -> None:
    """Remove what runs. Raises DeploymentFailed."""
    _run(root, environment, "destroy", "-auto-approve")


def outputs(root: Path, environment: str) -> dict[str, Any]:
    """Give the outputs of the last apply; empty where nothing was applied.

    Raises:
        ToolMissing, DeploymentFailed: the state lies elsewhere, and cannot be read; `init` names the place first.
    """
    if not kept_here(root, environment):
        return _values(json.loads(_say(root, environment, "output", "-json") or "{}"))
    at = folder(root, environment) / STATE
    return outputs_in(at.read_text(encoding="utf-8")) if at.is_file() else {}


def outputs_in(text: str) -> dict[str, Any]:
    """Give the outputs in the text of a state."""
    return _values(json.loads(text or "{}").get("outputs", {}))


def supervised(root: Path, environment: str) -> dict[str, Any]:
    """Give the outputs of an environment whose supervisor is there though its state is gone; else nothing."""
    run = folder(root, environment) / "run"
    found = state.supervisor(run) if processes.held(run / "lock") else {}
    return {"url": f"http://{found['host']}:{found['port']}", "release_id": found["release"]} if found else {}


def target(root: Path, environment: str) -> str | None:
    """Give how an environment runs; None when its target.tf names no module of ours."""
    found = SOURCE.search((root / pins.FOLDER / environment / "target.tf").read_text(encoding="utf-8"))
    return found[1] if found else None


def backend(root: Path, environment: str) -> str | None:
    """Give the kind of place where an environment's state lies: local is a folder of this machine."""
    found = BACKEND.search((root / pins.FOLDER / environment / "target.tf").read_text(encoding="utf-8"))
    return found[1] if found else None


def kept_here(root: Path, environment: str) -> bool:
    """Say whether an environment's state lies in a folder of this machine."""
    return backend(root, environment) == "local"


def local(root: Path, environment: str) -> bool:
    """Say whether an environment runs as processes of this machine."""
    return target(root, environment) == "local"


def docker_host(root: Path) -> str | None:
    """Give where the engine is that the docker command uses; None where there is no such command."""
    if chosen := os.environ.get("DOCKER_HOST"):
        return chosen
    try:
        return repo.run(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], root) or None
    except MergelineError:
        return None


def kubeconfig() -> str:
    """Give where kubectl finds its clusters and credentials."""
    chosen = os.environ.get("KUBECONFIG") or os.environ.get("KUBE_CONFIG_PATH")
    return chosen or str(Path.home() / ".kube" / "config")


def given(root: Path, environment: str, group: str, name: str) -> str | None:
    """Give a text of an object in terraform.tfvars; None where it is not there."""
    settings = (root / pins.FOLDER / environment / "terraform.tfvars").read_text(encoding="utf-8")
    start = re.search(rf"^{group}\s*=\s*{{", settings, re.MULTILINE)
    flat = re.sub(r"{[^{}]*}", "", settings[start.end() :]).partition("}")[0] if start else ""  # without inner objects
    found = re.search(rf'^\s*"?{name}"?\s*[=:]\s*"([^"]*)"', flat.replace(",", "\n"), re.MULTILINE)
    return found[1] if found else None


def resources(root: Path, environment: str) -> str:
    """Give the addresses of all that the state knows, a line each. Raises ToolMissing, DeploymentFailed."""
    return _say(root, environment, "state", "list")


def dead(root: Path, environment: str) -> list[str]:
    """Name the resource to replace when Terraform believes in a supervisor that has died."""
    if not local(root, environment) or processes.held(folder(root, environment) / "run" / "lock"):
        return []
    return [SUPERVISOR] if outputs(root, environment).get("url") else []


def _values(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: out.get("value") for name, out in outputs.items()}


def _variables(root: Path, environment: str) -> dict[str, str]:
    found = {
        "TF_DATA_DIR": str(folder(root, environment) / "terraform"),
        "TF_IN_AUTOMATION": "1",
        "MERGELINE_PYTHON": sys.executable,
        **repo.environment(root),
    }
    if target(root, environment) == "docker" and (host := docker_host(root)):
        found["DOCKER_HOST"] = host  # the provider does not look for the command's choice
    if target(root, environment) == "kubernetes":
        found["KUBECONFIG"] = found["KUBE_CONFIG_PATH"] = kubeconfig()  # the backend does not look for the command's
        found["KUBE_CTX"] = given(root, environment, "kubernetes", "context") or os.environ.get("KUBE_CTX", "")
    if chosen := os.environ.get("MERGELINE_STATE"):
        found["MERGELINE_STATE"] = str(Path(chosen).absolute())  # provisioners run in another folder
    return found


def _say(root: Path, environment: str, *arguments: str) -> str:
    """Give what Terraform prints. Raises ToolMissing, DeploymentFailed."""
    command = ["terraform", f"-chdir={root / pins.FOLDER / environment}", *arguments, "-no-color"]
    return repo.run(command, root, env=_variables(root, environment), failure=DeploymentFailed)


def _run(root: Path, environment: str, *arguments: str) -> list[dict[str, Any]]:
    """Run Terraform; where a run that was killed here holds the state, take its lock away first."""
    if "-lock=false" in arguments:
        return _events(root, environment, *arguments)
    with interrupted.noted(folder(root, environment)) as (killed, note):
        try:
            return _events(root, environment, *arguments, inherited=(note,))
        except Conflict as error:
            lock = interrupted.lock_of(str(error.__cause__), killed)
            if lock is None:
                raise
            _say(root, environment, "force-unlock", "-force", lock)
            return _events(root, environment, *arguments, inherited=(note,))


def _events(root: Path, environment: str, *arguments: str, inherited: Sequence[int] = ()) -> list[dict[str, Any]]:
    command = ["terraform", f"-chdir={root / pins.FOLDER / environment}", *arguments, "-json", "-input=false"]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, **repo.QUIET, **_variables(root, environment)},
            stdin=subprocess.DEVNULL,
            pass_fds=inherited,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing("terraform is not on the PATH", "Install Terraform 1.11 or newer.") from error
    events: list[dict[str, Any]] = []
    for line in done.stdout.splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    if done.returncode:
        raise _failure(arguments[0], events, done.stderr)
    return events


def _failure(verb: str, events: Sequence[dict[str, Any]], stderr: str) -> MergelineError:
    found = [e["diagnostic"] for e in events if e.get("diagnostic", {}).get("severity") == "error"]
    if not found:
        lines = [line for line in stderr.splitlines() if line.strip()]
        return DeploymentFailed(f"terraform {verb} failed" + (f": {lines[-1]}" if lines else ""))
    summary, detail = found[0].get("summary", ""), found[0].get("detail", "")
    if "state lock" in summary:
        held = Conflict("another Terraform run holds the state of this environment")
        held.__cause__ = RuntimeError(detail)  # says whose the lock is
        return held
    # A provisioner's own command: its exit code and its one line are those of the errors catalogue.
    said = re.search(r"exit status (\d+)\. Output:\s*(.*)", detail, re.DOTALL)
    if said:
        lines = [line for line in said[2].splitlines() if line.strip()]
        words = lines[-1].strip() if lines else summary
        return ERRORS.get(int(said[1]), DeploymentFailed)(words.removeprefix("error ").rstrip("."), "")
    return DeploymentFailed(f"terraform {verb}: {summary}" + (f": {' '.join(detail.split())[:300]}" if detail else ""))


def _actions(events: Sequence[dict[str, Any]], kind: str) -> list[Action]:
    found = [e["change"] for e in events if e.get("type") == kind]
    return sorted(Action(change["resource"]["addr"], change["action"]) for change in found)
