"""This machine: interpreter, programs, ports, disk."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import config, processes, repo
from ..errors import Conflict, MergelineError, RepositoryTrouble, ToolMissing
from .finding import Finding, fail, ok, warn

TERRAFORM = (1, 11)
PLENTY, ENOUGH = 5e9, 5e8  # bytes: of a comfortable machine, of one training


def python(root: Path) -> Iterator[Finding]:
    """The interpreter's minor version is an input of every stage."""
    wanted, here = config.params(root).python, f"{sys.version_info.major}.{sys.version_info.minor}"
    if wanted == here:
        yield ok("python", here)
    else:
        yield fail(
            "python",
            ToolMissing(
                f"this is Python {here}, params.yaml says {wanted}",
                f"Run `make setup` with Python {wanted} on the PATH, or change `python` in a pull request.",
            ),
        )


def git_identity(root: Path) -> Iterator[Finding]:
    """Promotions and rollbacks are commits: git must know whose."""
    try:
        repo.git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except RepositoryTrouble:
        yield warn(
            "git identity",
            "git does not know who you are, so promote and rollback cannot commit",
            'Run `git config --global user.name "You"` and `git config --global user.email you@example.org`.',
        )
    else:
        yield ok("git identity", "known")


def terraform(root: Path) -> Iterator[Finding]:
    """Deployments call it."""
    remedy = "Install Terraform 1.11 or newer; training and judging need none."
    try:
        found = json.loads(repo.run(["terraform", "version", "-json"], root))["terraform_version"]
    except (MergelineError, ValueError, KeyError):
        yield warn("terraform", "not on the PATH, so `model plan` and `model deploy` cannot run", remedy)
        return
    version = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if version < TERRAFORM:
        yield warn("terraform", f"{found} is too old for `model plan` and `model deploy`", remedy)
    else:
        yield ok("terraform", found)


def docker(root: Path) -> Iterator[Finding]:
    """Images need it, and environments that run on it."""
    targets = sorted((root / "infra" / "environments").glob("*/target.tf"))
    on_it = [at.parent.name for at in targets if "service/docker" in at.read_text(encoding="utf-8")]
    lost = ", ".join(["`make image`", *(f"`model deploy {name}`" for name in on_it)])
    if shutil.which("docker") is None:
        if on_it:
            yield warn("docker", f"not on the PATH; it is needed by {lost}", "Install Docker's command line.")
        else:
            yield ok("docker", f"not on the PATH; only {lost} needs it")
        return
    try:
        yield ok("docker", f"engine {repo.run(['docker', 'version', '--format', '{{.Server.Version}}'], root)}")
    except MergelineError:
        yield warn("docker", f"no engine answers, so {lost} cannot run", "Start the Docker engine.")


def kubernetes(root: Path) -> Iterator[Finding]:
    """Environments that run in a cluster are deployed by kubectl; nothing is said where there is none."""
    targets = sorted((root / "infra" / "environments").glob("*/target.tf"))
    on_it = [at.parent.name for at in targets if "service/kubernetes" in at.read_text(encoding="utf-8")]
    lost = ", ".join(f"`model deploy {name}`" for name in on_it)
    if on_it and shutil.which("kubectl") is None:
        yield warn("kubectl", f"not on the PATH; it is needed by {lost}", "Install Kubernetes' command line.")
    elif on_it:
        yield ok("kubectl", f"on the PATH, for {lost}")


def ports(root: Path) -> Iterator[Finding]:
    """Each environment on this machine needs its port; its own servers may have it."""
    for settings in sorted((root / "infra" / "environments").glob("*/terraform.tfvars")):
        found = re.search(r"^port\s*=\s*(\d+)", settings.read_text(encoding="utf-8"), re.MULTILINE)
        target = settings.with_name("target.tf")
        if found is None or not target.is_file() or "service/local" not in target.read_text(encoding="utf-8"):
            continue
        what, port = f"port of {settings.parent.name}", int(found[1])
        pids = processes.listeners(port)
        if not pids:
            yield ok(what, f"{port} is free")
        elif any("mergeline.serve" in processes.command_of(pid) for pid in pids):
            yield ok(what, f"{port} is served by a Mergeline server; `model status` says which release")
        else:
            yield fail(
                what,
                Conflict(
                    f"{port} is taken by {processes.taker(port)}",
                    f"Stop it, or change `port` in {settings.relative_to(root).as_posix()}.",
                ),
            )


def disk(root: Path) -> Iterator[Finding]:
    """A full disk leaves half-written caches."""
    free = shutil.disk_usage(root).free
    says = f"{free / 1e9:.1f} GB free"
    if free < ENOUGH:
        yield fail("disk", RepositoryTrouble(says, "Free some space: `dvc gc --workspace` drops old results."))
    elif free < PLENTY:
        yield warn("disk", says, "`dvc gc --workspace` drops results that this working copy does not name.")
    else:
        yield ok("disk", says)


def cores(_: Path) -> Iterator[Finding]:
    """How many threads a training gets."""
    yield ok("cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()))


CHECKS = (python, git_identity, terraform, docker, kubernetes, ports, disk, cores)
