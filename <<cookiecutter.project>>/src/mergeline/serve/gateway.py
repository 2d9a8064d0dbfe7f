"""Lead the gateway's requests to new servers without losing one: what the Terraform module `docker` calls.

    python -m mergeline.serve.gateway --gateway ID --release ID --strategy blue_green|rolling SERVER...

It runs beside the servers, on the volume of the gateway (HAProxy), and speaks its runtime API: no reload, which would
close idle connections of clients. A server is a name in the network's DNS, so one that comes back at another address
is found again. What is set is written down, and a gateway that starts again reads it.

HAProxy's states: a slot in `maint` is free; in `drain` it is checked and gets no request; `ready` gets them.
"""

import argparse
import csv
import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeploymentFailed

FOLDER = Path("/tmp")  # noqa: S108 - the volume: in both images a folder that everybody may write to
BACKEND = "servers"
PORT = 8000
READY_SECONDS = 60.0
LOOK_SECONDS = 1.0  # the gateway's checks see within it that a server is failing
IDLE_SECONDS = 30.0  # a request that takes longer is the server's own drain to finish
OUT_OF_TRAFFIC = 0x01 | 0x08  # maintenance and drain as somebody set them
LAST_CHANCE = 1  # of what `fall` in the gateway's configuration counts down: one more failed check takes a server out


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a server: its name at the gateway, whom it leads to, and whether it gets requests.

    It is sound when its checks pass. The gateway takes it out one check after it is not: time enough to lead back.
    """

    name: str
    server: str | None
    address: str | None
    taken: bool
    sound: bool


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
                sound=int(row["srv_check_health"]) > LAST_CHANCE,
            )
            for row in rows
        ]

    def busy(self) -> set[str]:
        """Name the slots whose servers answer a request now."""
        lines = self.ask(f"show stat {BACKEND} 4 -1").lstrip("# ").splitlines()
        return {row["svname"] for row in csv.DictReader(lines) if int(row["scur"])}

    def set(self, *states: tuple[Slot, str]) -> None:
        """Set slots' states, all in one go."""
        if states:
            self._done(*(f"set server {BACKEND}/{slot.name} state {state}" for slot, state in states))

    def lead(self, slot: Slot, server: str) -> None:
        """Let a free slot lead to a server, checked and without requests."""
        self._done(f"set server {BACKEND}/{slot.name} fqdn {server}", f"set server {BACKEND}/{slot.name} state drain")

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
    address: Callable[[str], str] = socket.gethostbyname,
    seconds: float = READY_SECONDS,
) -> None:
    """Let the gateway lead to these servers and to no other; those of before may end when this returns.

    Args:
        gateway: the one that runs.
        servers: the names of those that shall answer.
        strategy: `blue_green`: all at once; `rolling`: one by one, each when the one before it did well.
        answers: says what is wrong with a server; None when it is ready.
        address: gives the address of a server's name; it may raise OSError.
        seconds: for how long one may take to become ready.

    Raises:
        DeploymentFailed: one did not become ready, or not remain so; those of before answer, as before.
    """
    before = gateway.slots()
    old = [slot for slot in before if slot.taken and slot.server not in servers]
    kept = {slot.server for slot in before if slot.taken and slot.server in servers}
    free = [slot for slot in before if not slot.taken]
    wanted = [server for server in servers if server not in kept]
    if len(free) < len(wanted):
        raise DeploymentFailed(f"the gateway has {len(free)} free slots for {len(wanted)} servers")
    new = free[: len(wanted)]
    try:
        for slot, server in zip(new, wanted, strict=True):
            gateway.set((slot, "maint"))
            gateway.lead(slot, server)
        for server in wanted:
            _until_up(server, lambda name: answers(name) or _unseen(gateway, name, address), seconds)
        for arriving, leaving in _steps(new, old, strategy):
            gateway.set(*((slot, "ready") for slot in arriving), *((slot, "drain") for slot in leaving))
            _until_idle(gateway, {slot.name for slot in new}, leaving)
    except DeploymentFailed:
        gateway.set(*((slot, "ready") for slot in old), *((slot, "maint") for slot in new))
        raise
    used = {slot.name for slot in gateway.slots() if slot.taken}
    gateway.set(*((slot, "maint") for slot in before if slot.name not in used))
    gateway.remember()


def _steps(new: list[Slot], old: list[Slot], strategy: str) -> Iterator[tuple[list[Slot], list[Slot]]]:
    """Give what arrives and what leaves together."""
    if strategy == "rolling":
        for index in range(max(len(new), len(old))):
            yield new[index : index + 1], old[index : index + 1]
    else:
        yield new, old


def asked(release: str) -> Callable[[str], str | None]:
    """Give a function that asks a server whether it is ready, as this release."""

    def ask(server: str) -> str | None:
        try:
            for path in ("ready", "version"):
                with urllib.request.urlopen(f"http://{server}:{PORT}/{path}", timeout=2) as answer:
                    found = json.loads(answer.read())
        except (OSError, ValueError) as error:
            return f"gives no answer ({error})"
        return None if found.get("release") == release else f"is release {str(found.get('release'))[:12]}"

    return ask


def _unseen(gateway: Gateway, server: str, address: Callable[[str], str]) -> str | None:
    """Say why the gateway does not reach a server, as far as it knows; a slot's last address may be another server's."""
    try:
        at = address(server)
    except OSError:
        return "has no address"
    seen = any(slot.server == server and slot.sound and slot.address == at for slot in gateway.slots())
    return None if seen else "is not seen by the gateway"


def _until_up(server: str, wrong: Callable[[str], str | None], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while said := wrong(server):
        if time.monotonic() > deadline:
            raise DeploymentFailed(f"server {server} {said}")
        time.sleep(0.1)


def _until_idle(gateway: Gateway, new: set[str], leaving: list[Slot]) -> None:
    """Wait until what leaves answers no request any more; look meanwhile whether what has arrived stays up."""
    begun = time.monotonic()
    while True:
        slots, busy = gateway.slots(), gateway.busy()
        if down := [slot.server for slot in slots if slot.name in new and slot.taken and not slot.sound]:
            raise DeploymentFailed(f"server {down[0]} went down when it got requests")
        passed = time.monotonic() - begun
        if passed > IDLE_SECONDS or (passed > LOOK_SECONDS and not busy & {slot.name for slot in leaving}):
            return
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
        sys.stderr.write(f"error {failure.args[0] if isinstance(failure, DeploymentFailed) else failure}\n")
        sys.exit(getattr(failure, "code", DeploymentFailed.code))
