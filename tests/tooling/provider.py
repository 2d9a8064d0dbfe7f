"""Terraform's providers for the tests: from a mirror on this machine, else downloaded by Terraform, else built, once."""

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tooling.modules import CACHE, Module, build
from tools.need import MACHINES, Missing, find

BUILT = CACHE / "providers"
"""A mirror of those that were built."""
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


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of Terraform's registry, and the module that it can be built of; None takes longer than all tests."""

    source: str
    version: str
    module: Module | None


DOCKER = "github.com/terraform-providers/terraform-provider-docker"
"""The path that its go.mod names: not the one that it is fetched by, so a module that replaces one by the other."""
PROVIDERS = {
    "aws": Provider("hashicorp/aws", "5.100.0", None),
    "docker": Provider(
        "kreuzwerker/docker",
        "4.6.0",
        Module(
            DOCKER,
            "v0.0.0",
            (f"{DOCKER} => github.com/kreuzwerker/terraform-provider-docker v0.0.0-20260916201441-96d331c98ff4",),
            ("-tags=no_compose", "-ldflags=-s -w"),
        ),
    ),
    "kubectl": Provider(
        "gavinbunney/kubectl", "1.19.0", Module("github.com/gavinbunney/terraform-provider-kubectl", "v1.19.0")
    ),
}
"""By the name that modules call it by."""


def settings(scratch: Path, *names: str) -> dict[str, str]:
    """Give the variables with which Terraform finds these providers; none where it can download them.

    Args:
        scratch: an empty folder, which stays while Terraform is used.
        names: of `PROVIDERS`.

    Raises:
        Missing: one can be had in no way.
    """
    mirrors = {PROVIDERS[name].source: _mirror(PROVIDERS[name], scratch) for name in names}
    found = {source: path for source, path in mirrors.items() if path}
    if not found:
        return {}
    file = scratch / "providers.rc"
    listed = "".join(MIRROR.format(path=path, source=source) for source, path in found.items())
    rest = REST.format(sources=", ".join(f'"{source}"' for source in found))
    file.write_text(f"provider_installation {{\n{listed}{rest}}}\ndisable_checkpoint = true\n")
    return {"TF_CLI_CONFIG_FILE": str(file)}


def _mirror(provider: Provider, scratch: Path) -> Path | None:
    """Give a mirror that has the provider; None where Terraform can download it. Raises Missing."""
    machine = platform.machine().lower()
    kind = f"{sys.platform}_{MACHINES.get(machine, machine)}"
    folder = f"registry.terraform.io/{provider.source}/{provider.version}/{kind}"
    for mirror in (BUILT, *(found for place in MIRRORS for found in place.glob("*"))):
        if any((mirror / folder).glob("terraform-provider-*")):
            return mirror
    if (reason := _trouble(provider, scratch)) is None:
        return None
    name = f"terraform-provider-{provider.source.partition('/')[2]}"
    if provider.module is None:
        raise Missing(f"{name} {provider.version} is in no mirror and cannot be downloaded: {reason}")
    build(provider.module, "", BUILT / folder / f"{name}_v{provider.version}")
    return BUILT


def _trouble(provider: Provider, scratch: Path) -> str | None:
    """Give why Terraform does not find a provider as this machine sets it up; None if it does."""
    folder = scratch / provider.source
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(ASKED.format(source=provider.source, version=provider.version))
    tried = subprocess.run(
        [find("terraform"), f"-chdir={folder}", "init", "-input=false", "-no-color"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if tried.returncode == 0 else " ".join(tried.stderr.split())[-200:]
