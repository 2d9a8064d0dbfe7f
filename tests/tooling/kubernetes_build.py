"""Kubernetes' own programs for the tests: Debian has none of this decade, so they are built of Go's modules, once."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.tooling.docker import Docker
from tests.tooling.modules import CACHE, Module, build
from tools.need import Missing, compiler

MINOR = "34.4"
"""The newest of which the Go proxy has all parts."""
HOME = CACHE / f"kubernetes-1.{MINOR}"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
NAMES_ITSELF = {
    "gitVersion": f"v1.{MINOR}",
    "gitMajor": "1",
    "gitMinor": MINOR.partition(".")[0],
    "gitTreeState": "clean",
    "gitCommit": "0",
    "buildDate": "2026-01-01T00:00:00Z",
}
PAUSE = """\
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
"""
PAUSE_IMAGE = "mergeline-tests/pause:1"


def programs() -> Path:
    """Give the folder of `PROGRAMS`, which takes ten minutes the first time. Raises Missing."""
    if not all((HOME / name).exists() for name in PROGRAMS):
        names = "".join(f" -X k8s.io/component-base/version.{key}={value}" for key, value in NAMES_ITSELF.items())
        module = Module("k8s.io/kubernetes", f"v1.{MINOR}", _parts(), (f"-ldflags=-s -w{names}",))
        for name in PROGRAMS:
            build(module, f"cmd/{name}", HOME / name)
    return HOME


def pause(docker: Docker) -> Path:
    """Give an archive of the image whose one program holds a pod's addresses, and does nothing else. Raises Missing."""
    archive = HOME / "pause.tar"
    if archive.exists():
        return archive
    folder = HOME / "pause"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pause.go").write_text(PAUSE)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
    _go("build pause", folder, "build", "-trimpath", "-ldflags=-s -w", "-o", "pause", "pause.go")
    docker.run("build", "--quiet", "--tag", PAUSE_IMAGE, folder)
    part = HOME / f"pause-{os.getpid()}.part"
    docker.run("save", "--output", part, PAUSE_IMAGE)
    return part.rename(archive)


def _parts() -> tuple[str, ...]:
    """Say where the modules are that Kubernetes' go.mod replaces by folders of its repository."""
    said = _go("find Kubernetes", Path("/"), "mod", "download", "-json", f"k8s.io/kubernetes@v1.{MINOR}")
    text = Path(json.loads(said)["GoMod"]).read_text()
    parts = re.findall(r"^\s+(k8s\.io/[a-z0-9-]+) => \./staging", text, re.M)
    return tuple(f"{part} => {part} v0.{MINOR}" for part in parts if not part.startswith("k8s.io/sample-"))


def _go(to: str, folder: Path, *arguments: str) -> str:
    env = {**os.environ, "CGO_ENABLED": "0"}
    command = [compiler(to), *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"Go cannot {to}: {(done.stderr + done.stdout).strip()[-300:]}")
    return done.stdout
