"""A Docker engine for the tests, and base images for it.

The engine that answers is used. Where none does, root on a Debian machine gets one of its own: on a socket in the
cache folder, started by the first test run that needs it and stopped by the last. A base image is pulled; where the
registry cannot be reached, one is made of Debian's packages and the interpreter that runs the tests.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.tooling import modules

RECIPE = "1"  # part of what is cached: raise it when the recipe changes
CACHE = modules.CACHE / f"docker-{RECIPE}"
PACKAGES = ("docker.io", "debootstrap", "iptables")
LIBRARIES = (
    "ca-certificates,libssl3,libsqlite3-0,libffi8,libreadline8,libbz2-1.0,liblzma5,zlib1g,libncursesw6,libuuid1,"
    "netbase,tzdata,libexpat1"
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Unavailable(Exception):
    """There is no engine, or no base image, and none can be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Docker:
    """An engine that answers. `host` is its DOCKER_HOST; None is the default one of the command line."""

    host: str | None

    @property
    def env(self) -> dict[str, str]:
        """The environment in which `docker` means this engine."""
        return {**os.environ, **({"DOCKER_HOST": self.host} if self.host else {})}

    def run(self, *arguments: str | Path, check: bool = True, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `docker` with these arguments; a failure says what docker said."""
        done = subprocess.run(
            ["docker", *map(str, arguments)], env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )
        if check and done.returncode:
            raise RuntimeError(
                f"docker {' '.join(map(str, arguments[:2]))} failed:\n{(done.stdout + done.stderr)[-3000:]}"
            )
        return done

    def say(self, *arguments: str | Path) -> str:
        """Give what `docker` prints, stripped."""
        return self.run(*arguments).stdout.strip()


@contextmanager
def engine() -> Iterator[Docker]:
    """Give an engine for as long as the block runs. Raises Unavailable."""
    usual = Docker(None)
    if shutil.which("docker") and _answers(usual):
        yield usual
        return
    if os.geteuid() != 0:
        raise Unavailable("no Docker engine answers, and only root can start one")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "users").open("w") as users:
        with _alone("start"):
            first = _unused(users.fileno())
            fcntl.flock(users, fcntl.LOCK_SH)
            own = Docker(f"unix://{CACHE}/docker.sock")
            if not _answers(own):
                install(PACKAGES, ("dockerd", "debootstrap", "iptables"))
                _start(own)
            if first:
                _tidy(own)
        try:
            yield own
        finally:
            with _alone("start"):
                _stop_when_unused(users.fileno())


def base_image(docker: Docker) -> str:
    """Give the name of an image like `python:3.11-slim`, of this interpreter's minor version. Raises Unavailable."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    real = f"python:{minor}-slim"
    own = f"mergeline-tests/python:{sys.version.split()[0]}-{RECIPE}"
    for name in (real, own):
        if docker.run("image", "inspect", name, check=False).returncode == 0:
            return name
    if docker.run("pull", "--quiet", real, check=False).returncode == 0:
        return real
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone("base"):
        if docker.run("image", "inspect", own, check=False).returncode:
            _import(docker, _python_root(minor), own)
    return own


def _answers(docker: Docker) -> bool:
    return docker.run("version", "--format", "{{.Server.Version}}", check=False, seconds=20).returncode == 0


def install(packages: Iterable[str], programs: Iterable[str]) -> None:
    """Install Debian's packages where one of the programs, by name or path, is missing. Raises Unavailable."""
    lacking = [program for program in programs if not shutil.which(program)]
    if not lacking:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"there is no {lacking[0]}, and only root on Debian gets it installed")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-qq", *command], env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}")


def _start(docker: Docker) -> None:
    log = CACHE / "dockerd.log"
    pid = CACHE / "dockerd.pid"
    pid.unlink(missing_ok=True)
    folders = ["--data-root", CACHE / "data", "--exec-root", CACHE / "exec", "--pidfile", pid, "--host", docker.host]
    with log.open("wb") as out:  # it outlives the test run that starts it, while another one uses it
        subprocess.run(
            ["setsid", "--fork", "dockerd", *map(str, folders)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=True,
        )
    deadline = time.monotonic() + 60
    while not _answers(docker):
        if time.monotonic() > deadline:
            raise Unavailable(f"dockerd does not start: {log.read_text()[-500:]}")
        time.sleep(0.3)


def _tidy(docker: Docker) -> None:
    """Remove what a killed test run left; images stay."""
    if containers := docker.say("container", "ls", "--all", "--quiet").split():
        docker.run("container", "rm", "--force", *containers)
    docker.run("network", "prune", "--force")
    if volumes := docker.say("volume", "ls", "--quiet").split():
        docker.run("volume", "rm", *volumes)


def _unused(users: int) -> bool:
    """Say whether no other test run uses the engine; until the file is closed, or locked otherwise, none can begin to."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop_when_unused(users: int) -> None:
    if not _unused(users):
        return
    pid = int((CACHE / "dockerd.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def _import(docker: Docker, root: Path, name: str) -> None:
    """Make an image of a root folder, with the settings of the public one."""
    settings = [
        "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
        "ENV LANG=C.UTF-8",
        f"ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES} REQUESTS_CA_BUNDLE={CERTIFICATES}",
        'CMD ["python3"]',
    ]
    changes = [part for setting in settings for part in ("--change", setting)]
    archive = CACHE / "python.tar"
    try:
        _do("tar", "-C", root, "-cf", archive, ".")
        docker.run("import", *changes, archive, name)
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(root)


def _python_root(minor: str) -> Path:
    """Lay an interpreter into a copy of the Debian root, under /usr/local."""
    home = Path(sys.base_prefix)
    if home == Path("/usr"):
        raise Unavailable("no base image can be pulled, and the system's Python cannot be copied into one")
    root = CACHE / f"python-{minor}"
    shutil.rmtree(root, ignore_errors=True)
    _do("cp", "-a", _debian_root(), root)
    local = root / "usr/local"
    for part in ("bin", "lib", "include"):
        _do("cp", "-a", f"{home / part}/.", local / part)
    library = local / f"lib/python{minor}"
    for junk in (library / "test", *library.glob("config-*"), *(library / "site-packages").iterdir()):
        shutil.rmtree(junk) if junk.is_dir() else junk.unlink()
    for cache in [*library.rglob("__pycache__")]:
        shutil.rmtree(cache, ignore_errors=True)
    for archive in local.glob("lib/libpython*.a"):
        archive.unlink()
    for script in (local / "bin").iterdir():
        if script.is_file() and not script.name.startswith("python"):
            script.unlink()
    for alias in ("python", "python3"):
        (local / "bin" / alias).unlink(missing_ok=True)
        (local / "bin" / alias).symlink_to(f"python{minor}")
    _do("chroot", root, "/sbin/ldconfig")
    _do("chroot", root, "/usr/local/bin/python3", "-m", "ensurepip")
    return root


def _debian_root() -> Path:
    root = CACHE / "debian"
    if root.is_dir():
        return root
    unfinished = CACHE / "debian.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.M)
    if codename is None or not shutil.which("debootstrap"):
        raise Unavailable("no base image can be pulled, and only Debian can make one")
    site = _do("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Codename: {codename[1]}")
    _do("debootstrap", "--variant=minbase", f"--include={LIBRARIES}", codename[1], unfinished, site.splitlines()[0])
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, unfinished / "usr/local/share/ca-certificates")
    _do("chroot", unfinished, "/usr/sbin/update-ca-certificates")
    for junk in (*unfinished.glob("var/cache/apt/archives/*.deb"), *unfinished.glob("var/lib/apt/lists/*")):
        shutil.rmtree(junk) if junk.is_dir() else junk.unlink()
    for folder in ("doc", "man", "locale"):
        shutil.rmtree(unfinished / "usr/share" / folder, ignore_errors=True)
    unfinished.rename(root)
    return root


def _do(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{command[0]} failed: {(done.stdout + done.stderr).strip()[-300:]}")
    return done.stdout


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """Let one test run at a time do something in the cache folder."""
    with (CACHE / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
