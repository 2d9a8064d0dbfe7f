"""Lead the gateway's requests to new servers without losing one: what the Terraform module `docker` calls.

    python -m mergeline.serve.gateway --gateway ID --release ID --strategy blue_green|rolling SERVER...

It runs beside the servers, on the volume of the gateway (HAProxy), and speaks its runtime API: no reload, which would
close idle connections of clients. A server is a name in the network's DNS, so one that comes back at another address
is found again. What is set is written down, and a gateway that starts again reads it.

HAProxy's states: a slot in `maint` is free; in `drain` it is checked and gets no request; `ready` gets them.
"""

import argparse
import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeploymentFailed

FOLDER = Path("/tmp")  # noqa: S108 - the volume: in both images a folder that everybody may write to
BACKEND = "servers"
PORT = 8000
READY_SECONDS = 60.0
OUT_OF_TRAFFIC = 0x01 | 0x04 | 0x08  # forced maintenance, maintenance by the configuration, forced drain
UP = 2


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a server: its name at the gateway, whom it leads to, and whether it gets requests."""

    name: str
    server: str | None
    address: str | None
    taken: bool
    up: bool


class Gateway:
    """A running HAProxy, by the folder that its socket lies in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, *commands: str) -> str:
        """Send commands in one go and give the answer. Raises OSError when nobody listens."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(self.folder / "gateway.sock"))
            line.sendall((";".join(commands) + "\n").encode())
            said = b""
            while part := line.recv(65536):
                said += part
        return said.decode()

    def node(self) -> str | None:
        """Give which gateway this is; None while none listens."""
        try:
            lines = self.ask("show info").splitlines()
        except OSError:
            return None
        return next((line.split(": ", 1)[1].strip() for line in lines if line.startswith("node: ")), None)

    def slots(self) -> list[Slot]:
        """Give all slots."""
        lines = self.ask(f"show servers state {BACKEND}").splitlines()
        names = next(line for line in lines if line.startswith("#")).lstrip("# ").split()
        rows = [dict(zip(names, line.split(), strict=False)) for line in lines if BACKEND in line and line[0] != "#"]
        return [
            Slot(
                name=row["srv_name"],
                server=row["srv_fqdn"] if row["srv_fqdn"] not in ("-", "free.invalid") else None,
                address=row["srv_addr"] if row["srv_addr"] != "-" else None,
                taken=not int(row["srv_admin_state"]) & OUT_OF_TRAFFIC,
                up=int(row["srv_op_state"]) == UP,
            )
            for row in rows
        ]

    def set(self, *states: tuple[Slot, str]) -> None:
        """Set slots' states, all in one go."""
        if states:
            self._done(*(f"set server {BACKEND}/{slot.name} state {state}" for slot, state in states))

    def lead(self, slot: Slot, server: str) -> None:
        """Let a free slot lead to a server, checked and without requests."""
        self._done(
            f"set server {BACKEND}/{slot.name} fqdn {server}", f"set server {BACKEND}/{slot.name} state drain"
        )

    def remember(self) -> None:
        """Write down what a gateway that starts again shall know."""
        part = self.folder / "servers.part"
        part.write_text(self.ask("show servers state"))
        part.chmod(0o644)
        part.replace(self.folder / "servers")

    def _done(self, *commands: str) -> None:
        # It reports a change of name, or that there was none to make (there it spells FDQN), in capitals.
        lines = (line.strip() for line in self.ask(*commands).splitlines())
        said = [line for line in lines if line and "FQDN" not in line and "FDQN" not in line]
        if said:
            raise DeploymentFailed(f"the gateway refuses: {said[0]}")


def switch(
    gateway: Gateway,
    servers: list[str],
    strategy: str,
    answers: Callable[[str], str | None],
    *,
    seconds: float = READY_SECONDS,
) -> None:
    """Let the gateway lead to these servers and to no other.

    Args:
        gateway: the one that runs.
        servers: the names of those that shall answer.
        strategy: `blue_green`: all at once when all are ready; `rolling`: one by one.
        answers: says what is wrong with a server; None when it is ready.
        seconds: for how long that may take.

    Raises:
        DeploymentFailed: one did not become ready; those of before answer, as before.
    """
    before = gateway.slots()
    old = [slot for slot in before if slot.taken and slot.server not in servers]
    kept = {slot.server for slot in before if slot.taken and slot.server in servers}
    free = [slot for slot in before if not slot.taken]
    new = [server for server in servers if server not in kept]
    if len(free) < len(new):
        raise DeploymentFailed(f"the gateway has {len(free)} free slots for {len(new)} servers")
    chosen = list(zip(free, new, strict=False))
    try:
        for slot, server in chosen:
            gateway.set((slot, "maint"))
            gateway.lead(slot, server)
        for slot, server in chosen:
            _until_up(gateway, slot.name, server, answers, seconds)
    except DeploymentFailed:
        gateway.set(*((slot, "maint") for slot, _ in chosen))
        raise
    slots = [slot for slot, _ in chosen]
    if strategy == "rolling":
        for index in range(max(len(slots), len(old))):
            gateway.set(*((s, "ready") for s in slots[index : index + 1]), *((s, "drain") for s in old[index : index + 1]))
            time.sleep(0.5)
    else:
        gateway.set(*((s, "ready") for s in slots), *((s, "drain") for s in old))
    gateway.remember()
    used = {slot.name for slot in gateway.slots() if slot.server in servers and slot.taken}
    gateway.set(*((slot, "maint") for slot in before if slot.name not in used and slot not in old))


def asked(release: str) -> Callable[[str], str | None]:
    """Give a function that asks a server whether it is ready, as this release."""

    def ask(server: str) -> str | None:
        try:
            for path in ("ready", "version"):
                with urllib.request.urlopen(f"http://{server}:{PORT}/{path}", timeout=2) as answer:  # noqa: S310
                    found = json.loads(answer.read())
        except (OSError, ValueError) as error:
            return f"gives no answer ({error})"
        return None if found.get("release") == release else f"is release {str(found.get('release'))[:12]}"

    return ask


def _until_up(
    gateway: Gateway, slot: str, server: str, answers: Callable[[str], str | None], seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        wrong = answers(server)
        if wrong is None:
            found = next(one for one in gateway.slots() if one.name == slot)
            if found.up and found.address:
                return
            wrong = "is not seen by the gateway"
        if time.monotonic() > deadline:
            raise DeploymentFailed(f"server {server} {wrong}")
        time.sleep(0.1)


def main(arguments: Iterable[str] | None = None) -> None:
    """Parse and switch."""
    parser = argparse.ArgumentParser(prog="python -m mergeline.serve.gateway")
    parser.add_argument("--gateway", required=True, help="the gateway's id, to wait for")
    parser.add_argument("--release", required=True, help="the release that the servers must be")
    parser.add_argument("--strategy", choices=["blue_green", "rolling"], default="blue_green")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the gateway's socket lies")
    parser.add_argument("servers", nargs="+", metavar="SERVER")
    given = parser.parse_args(None if arguments is None else list(arguments))
    gateway = Gateway(given.folder)
    deadline = time.monotonic() + READY_SECONDS
    while gateway.node() != given.gateway:
        if time.monotonic() > deadline:
            raise DeploymentFailed("the gateway does not run")
        time.sleep(0.1)
    switch(gateway, given.servers, given.strategy, asked(given.release))


if __name__ == "__main__":
    try:
        main()
    except (DeploymentFailed, OSError) as failure:
        sys.stderr.write(f"error {failure}\n")
        sys.exit(getattr(failure, "code", DeploymentFailed.code))
