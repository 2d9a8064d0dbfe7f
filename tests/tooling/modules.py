"""Programs of Go modules for the tests, built once, where they cannot be downloaded."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.need import Missing, compiler

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mergeline-tests"
"""What is built or fetched for the tests, and is still good in another clone."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module at a version. `replace` is what its go.mod replaces by folders, `flags` are those of `go build`."""

    path: str
    version: str
    replace: tuple[str, ...] = ()
    flags: tuple[str, ...] = ("-ldflags=-s -w",)


def build(module: Module, package: str, place: Path) -> Path:
    """Build a program, unless it is there; give its place.

    Args:
        module: the module that it is of.
        package: the folder of its main package, below the module; "" is the module itself.
        place: the file to make.

    Raises:
        Missing: there is no Go, or it does not build.
    """
    if place.exists():
        return place
    go = compiler(f"build {place.name} {module.version}")
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}-{os.getpid()}")
    with tempfile.TemporaryDirectory() as source:
        replaced = "".join(f"replace {line}\n" for line in module.replace)
        asked = f"module example.test/it\ngo 1.26.3\nrequire {module.path} {module.version}\n{replaced}"
        (Path(source) / "go.mod").write_text(asked)
        command: list[str | Path] = [
            go,
            "build",
            "-trimpath",
            *module.flags,
            "-o",
            part,
            f"{module.path}/{package}".rstrip("/"),
        ]
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
        done = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{place.name} {module.version} cannot be built: {done.stderr.strip()[-300:]}")
    return part.rename(place)
