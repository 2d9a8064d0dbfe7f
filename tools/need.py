"""Programs that the loop calls: found on the PATH, else built by `go install` at a pinned version."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
BIN = HERE / ".cache" / "bin"


@dataclass(frozen=True, slots=True)
class Tool:
    """A Go program: where its source is, at which version."""

    package: str
    version: str


TOOLS = {
    "terraform": Tool("github.com/hashicorp/terraform", "v1.11.4"),
    "act": Tool("github.com/nektos/act", "v0.2.89"),
    "actionlint": Tool("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"),
}


class Missing(Exception):
    """The program is not here and cannot be built here; the message says why."""


def find(name: str) -> Path:
    """Give the path of a program, built once into .cache/bin when the PATH has none. Raises Missing."""
    os.environ["PATH"] = (
        f"{BIN}{os.pathsep}{os.environ['PATH']}" if str(BIN) not in os.environ["PATH"] else os.environ["PATH"]
    )
    if found := shutil.which(name):
        return Path(found)
    tool = TOOLS.get(name)
    if tool is None:
        raise Missing(f"{name} is not on the PATH")
    if not shutil.which("go"):
        raise Missing(f"{name} is not on the PATH, and there is no Go to build {tool.version} with")
    BIN.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        ["go", "install", f"{tool.package}@{tool.version}"],
        env={**os.environ, "GOBIN": str(BIN), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise Missing(f"{name} could not be built: {built.stderr.strip().splitlines()[-1]}")
    return BIN / name


def main(command: Sequence[str]) -> int:
    """Run a program; where it cannot be had say so, and fail under REQUIRE_TOOLS=1 only."""
    try:
        program = find(command[0])
    except Missing as missing:
        sys.stderr.write(f"Not checked: {missing}.\n")
        return int(os.environ.get("REQUIRE_TOOLS") == "1")
    return subprocess.run([program, *command[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
