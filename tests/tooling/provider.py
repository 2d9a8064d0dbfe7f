"""Terraform's providers for the tests: downloaded by Terraform, else from a mirror on this machine, else built, once."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tools.need import HERE, MACHINES, Missing, compiler, find

VERSION = "4.6.0"
COMMIT = "v0.0.0-20260916201441-96d331c98ff4"
SOURCE = "github.com/kreuzwerker/terraform-provider-docker"
CALLED = "github.com/terraform-providers/terraform-provider-docker"
"""The path that its go.mod names: not the one that it is fetched by, so a module that replaces one by the other."""
CACHE = HERE / ".cache" / "providers"
AWS = "5.100.0"
MIRRORS = [Path("/opt"), Path("/usr/local/share"), Path("/usr/share")]
"""Folders below which a machine may keep a mirror of providers: DIR/*/registry.terraform.io/..."""
ASKED = """terraform {{
  required_providers {{
    it = {{
      source  = "{source}"
      version = "{version}"
    }}
  }}
}}
"""
MIRROR = """provider_installation {{
  filesystem_mirror {{
    path = "{path}"
  }}
}}
disable_checkpoint = true
"""


def aws(scratch: Path) -> dict[str, str]:
    """Give the variables with which Terraform finds the provider of AWS; none where it can download it.

    Args:
        scratch: an empty folder to try it in.

    Raises:
        Missing: it can neither be downloaded nor lies in a mirror; building it takes longer than all tests.
    """
    configuration = CACHE / f"aws-{AWS}" / "terraform.rc"
    if configuration.is_file():
        return {"TF_CLI_CONFIG_FILE": str(configuration)}
    if (reason := _initialised(scratch, "hashicorp/aws", AWS)) is None:
        return {}
    for path in (mirror for place in MIRRORS for mirror in place.glob("*/registry.terraform.io")):
        if (path / "hashicorp" / "aws" / AWS).is_dir():
            configuration.parent.mkdir(parents=True, exist_ok=True)
            configuration.write_text(MIRROR.format(path=path.parent))
            return {"TF_CLI_CONFIG_FILE": str(configuration)}
    raise Missing(f"Terraform's aws provider {AWS} can neither be downloaded nor is in a mirror: {reason}")


def settings(scratch: Path) -> dict[str, str]:
    """Give the variables with which Terraform finds the provider; none where it can download it.

    Args:
        scratch: an empty folder to try it in.

    Raises:
        Missing: it can be neither downloaded nor built.
    """
    mirror = CACHE / f"docker-{VERSION}"
    configuration = mirror / "terraform.rc"
    if configuration.is_file():
        return {"TF_CLI_CONFIG_FILE": str(configuration)}
    if _initialised(scratch, "kreuzwerker/docker", VERSION) is None:
        return {}
    machine = platform.machine().lower()
    kind = f"{sys.platform}_{MACHINES.get(machine, machine)}"
    folder = mirror / "registry.terraform.io/kreuzwerker/docker" / VERSION / kind
    folder.mkdir(parents=True, exist_ok=True)
    _build(mirror / "source", folder / f"terraform-provider-docker_v{VERSION}")
    configuration.write_text(MIRROR.format(path=mirror))
    return {"TF_CLI_CONFIG_FILE": str(configuration)}


def _initialised(scratch: Path, source: str, version: str) -> str | None:
    """Give why Terraform does not find a provider as this machine sets it up; None if it does."""
    (scratch / "main.tf").write_text(ASKED.format(source=source, version=version))
    tried = subprocess.run(
        [find("terraform"), f"-chdir={scratch}", "init", "-input=false", "-no-color"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if tried.returncode == 0 else " ".join(tried.stderr.split())[-200:]


def _build(source: Path, program: Path) -> None:
    go = compiler(f"build Terraform's docker provider {VERSION}")
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    (source / "go.mod").write_text(
        f"module example.test/provider\ngo 1.25.8\nrequire {CALLED} v0.0.0\nreplace {CALLED} v0.0.0 => {SOURCE} {COMMIT}\n"
    )
    (source / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{CALLED}"\n')
    env = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    build = ["build", "-trimpath", "-tags", "no_compose", "-ldflags=-s -w", "-o", str(program), CALLED]
    for command in (["mod", "tidy"], build):
        done = subprocess.run([go, *command], cwd=source, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise Missing(f"Terraform's docker provider cannot be built: {said[-1] if said else 'no reason given'}")
