"""Terraform's providers for the tests: downloaded by Terraform, else from a mirror on this machine, else built, once."""

import os
import platform
import re
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
MIRROR = """  filesystem_mirror {{
    path    = "{path}"
    include = ["{source}"]
  }}
"""
REST = """  direct {{
    exclude = [{sources}]
  }}
"""
PATH = re.compile(r'path    = "(.*)"\n    include = \["(.*)"\]')


def both(scratch: Path) -> dict[str, str]:
    """Give the variables with which Terraform finds the providers of all modules; none where it can download them.

    Args:
        scratch: an empty folder to try it in.

    Raises:
        Missing: one can be had in no way.
    """
    mirrors: dict[str, str] = {}
    for name, one in (("aws", aws), ("docker", settings)):
        (scratch / name).mkdir()
        for file in one(scratch / name).values():
            mirrors.update((source, path) for path, source in PATH.findall(Path(file).read_text()))
    return _configured(CACHE / "both.rc", mirrors) if mirrors else {}


def aws(scratch: Path) -> dict[str, str]:
    """Give the variables with which Terraform finds the provider of AWS; none where it can download it.

    Args:
        scratch: an empty folder to try it in.

    Raises:
        Missing: it neither lies in a mirror nor can be downloaded; building it takes longer than all tests.
    """
    for mirror in (found for place in MIRRORS for found in place.glob("*/registry.terraform.io/hashicorp/aws")):
        if (mirror / AWS).is_dir():
            return _configured(CACHE / "aws.rc", {"hashicorp/aws": str(mirror.parents[2])})
    if reason := _trouble(scratch, "hashicorp/aws", AWS):
        raise Missing(f"Terraform's aws provider {AWS} is neither in a mirror nor can be downloaded: {reason}")
    return {}


def settings(scratch: Path) -> dict[str, str]:
    """Give the variables with which Terraform finds the provider; none where it can download it.

    Args:
        scratch: an empty folder to try it in.

    Raises:
        Missing: it can be neither downloaded nor built.
    """
    mirror = CACHE / f"docker-{VERSION}"
    machine = platform.machine().lower()
    kind = f"{sys.platform}_{MACHINES.get(machine, machine)}"
    program = (
        mirror / "registry.terraform.io/kreuzwerker/docker" / VERSION / kind / f"terraform-provider-docker_v{VERSION}"
    )
    if not program.is_file():
        if _trouble(scratch, "kreuzwerker/docker", VERSION) is None:
            return {}
        program.parent.mkdir(parents=True, exist_ok=True)
        _build(mirror / "source", program)
    return _configured(CACHE / "docker.rc", {"kreuzwerker/docker": str(mirror)})


def _configured(file: Path, mirrors: dict[str, str]) -> dict[str, str]:
    """Write Terraform's settings: these providers come from folders, any other is downloaded."""
    file.parent.mkdir(parents=True, exist_ok=True)
    listed = "".join(MIRROR.format(path=path, source=source) for source, path in mirrors.items())
    rest = REST.format(sources=", ".join(f'"{source}"' for source in mirrors))
    file.write_text(f"provider_installation {{\n{listed}{rest}}}\ndisable_checkpoint = true\n")
    return {"TF_CLI_CONFIG_FILE": str(file)}


def _trouble(scratch: Path, source: str, version: str) -> str | None:
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
