"""Processes on this machine: who holds a lock file, who listens on a port, whether a pid is still the one we know."""

import contextlib
import errno
import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import Conflict

LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp
DYING_SECONDS = 2.0


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[int]:
    """Hold an exclusive lock on a file; the kernel releases it however the process ends. Gives its descriptor.

    Args:
        path: created when it is not there.
        what: names the work in the refusal, e.g. "a promotion".

    Raises:
        Conflict: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _flock(descriptor, fcntl.LOCK_EX):
            if not _flock(descriptor, fcntl.LOCK_SH):
                raise Conflict(f"{what} is under way in another process (it holds {path.name})")
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # nobody holds it: another looked, see `held`, or asks as we do
            time.sleep(0.001)
        yield descriptor
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Say whether a living process holds the lock of `locked`."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen. Raises Conflict that names who has the port.

    A killed process closes its files after its name is gone, so a port that nobody seems to have is asked for again.
    """
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise Conflict(
                    f"cannot listen on {host}:{port}: {error.strerror}", "Choose another host or port."
                ) from error
        else:
            return listener
        holder = taker(port)
        if holder or time.monotonic() > deadline:
            raise Conflict(
                f"port {port} is taken by {holder or 'a process of another user'}",
                "Stop it, or choose another port in the environment's terraform.tfvars.",
            )
        time.sleep(0.02)


def taker(port: int) -> str | None:
    """Give "command (pid N)" of the process that listens on a TCP port, or None when nobody does or may be seen."""
    pid = next(iter(listeners(port)), None)
    return f"{_short(command_of(pid))} (pid {pid})" if pid is not None else None


def listeners(port: int) -> list[int]:
    """Give the processes that listen on a TCP port, as far as this user may see them."""
    found = []
    if Path("/proc/net/tcp").exists():
        inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
        for process in Path("/proc").iterdir() if inodes else ():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir()):
                    found.append(int(process.name))
        return found
    with contextlib.suppress(FileNotFoundError):
        command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fp"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = [int(line[1:]) for line in done.stdout.splitlines() if line.startswith("p")]
    return found


def command_of(pid: int) -> str:
    """Give a process's command line, empty when there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    if Path("/proc/self").exists():
        return ""
    done = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _short(command: str) -> str:
    return command if len(command) <= 80 else command[:77] + "..."
