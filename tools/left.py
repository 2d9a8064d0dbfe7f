"""What a demo may leave behind on this machine: servers of its folder, and a port that is taken."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
SECONDS = 5.0


def servers(folder: Path) -> list[str]:
    """Give "pid command" of the servers that were started from below a folder; the dying get some seconds."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = [line for line in _commands() if "mergeline.serve" in line and f"{folder}/" in line]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def taken(port: int) -> bool:
    """Say whether somebody listens on a port of this machine."""
    with socket.socket() as asking:
        asking.settimeout(1)
        return asking.connect_ex(("127.0.0.1", port)) == 0


def _commands() -> Iterator[str]:
    """Give "pid command" of every process that this user may see."""
    if not (PROC / "self").exists():
        listed = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        yield from (line.strip() for line in listed.stdout.splitlines())
        return
    for process in PROC.iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            yield f"{process.name} {command.replace(bytes(1), b' ').decode(errors='replace').strip()}"
