"""A real HAProxy with the module's own configuration, a DNS server that knows names, and servers that say who they are."""

import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mergeline.serve import gateway
from mergeline.serve.gateway import Gateway, Slot
from tests.tools import need
from tests.unit.project import TEMPLATE
from tools.ports import free_port

CONFIGURATION = TEMPLATE / "infra/modules/service/docker/haproxy.cfg.tftpl"
NODE = "g1"


class Server(ThreadingHTTPServer):
    """Says nothing of connections that the gateway closes."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class Names:
    """A DNS server for `names`, which maps each to an address of this machine."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.line.bind(("127.0.0.1", 0))
        self.port = int(self.line.getsockname()[1])
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                asked, client = self.line.recvfrom(2048)
            except OSError:
                return
            end = asked.index(b"\0", 12) + 5
            address = self.names.get(_name(asked))
            found = address if asked[end - 4 : end - 2] == b"\0\1" else None  # it asks for IPv6 too
            head = asked[:2] + struct.pack(">HHHHH", 0x8180 if address else 0x8183, 1, 1 if found else 0, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(found) if found else b""
            self.line.sendto(head + asked[12:end] + record, client)


def _name(asked: bytes) -> str:
    at, labels = 12, []
    while size := asked[at]:
        labels.append(asked[at + 1 : at + 1 + size].decode())
        at += size + 1
    return ".".join(labels)


@dataclass
class Place:
    """A gateway on a free port, and the servers behind it; `ready` holds those whose /ready says yes,
    `fragile` those that say no once they were asked for anything else,
    and an answer to anything else takes `slow` seconds."""

    folder: Path
    url: str
    names: Names
    server_port: int
    ready: set[str] = field(default_factory=set)
    fragile: set[str] = field(default_factory=set)
    slow: float = 0.0
    servers: list[Server] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def gateway(self) -> Gateway:
        return Gateway(self.folder)

    def serve(self, name: str, *, ready: bool = True) -> None:
        """Start a server of this name."""
        address = f"127.0.0.{len(self.servers) + 2}"
        place = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path != "/ready" and name in place.fragile:
                    place.ready.discard(name)
                if self.path != "/ready":
                    time.sleep(place.slow)
                content = json.dumps({"release": name}).encode()
                self.send_response(200 if self.path != "/ready" or name in place.ready else 503)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        server = Server((address, self.server_port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.servers.append(server)
        self.names.names[name] = address
        if ready:
            self.ready.add(name)

    def switch(self, *servers: str, strategy: str = "blue_green", seconds: float = 10) -> None:
        """Switch to these servers, as the module does."""
        gateway.switch(
            self.gateway, [*servers], strategy, self.answers, address=self.names.names.__getitem__, seconds=seconds
        )

    def answers(self, server: str) -> str | None:
        return None if server in self.ready else "is not ready"

    def start(self) -> None:
        """Start the gateway, as its container does."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [need("haproxy"), "-db", "-f", self.folder / "haproxy.cfg"],
                env={"GATEWAY": NODE},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 10
        while self.gateway.node() != NODE:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End the gateway as a power cut does."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def taken(self) -> list[str | None]:
        """Give the servers that get requests."""
        return sorted((slot.server for slot in self.slots() if slot.taken), key=str)

    def slots(self) -> list[Slot]:
        return self.gateway.slots()


def rendered(slots: int, pinned: bool) -> str:
    """Give the configuration as Terraform renders it."""
    lines: list[str] = []
    shown = True
    for line in CONFIGURATION.read_text().splitlines():
        if line.startswith("%{"):
            shown = {"if": pinned, "else": not pinned, "endif": True}[line.split()[1]]
        elif shown:
            lines.append(line.replace("$${", "${").replace("slot 1-${slots}", f"slot 1-{slots}"))
    return "\n".join(lines) + "\n"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A running gateway with four slots and no server."""
    found = Place(tmp_path, f"http://127.0.0.1:{(port := free_port())}", Names(), free_port())
    text = rendered(4, pinned=True)
    for old, new in (
        ("/tmp/", f"{tmp_path}/"),  # noqa: S108 - the volume's path in the container
        ("bind :8080", f"bind 127.0.0.1:{port}"),
        ("127.0.0.11:53", f"127.0.0.1:{found.names.port}"),
        (":8000", f":{found.server_port}"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "haproxy.cfg").write_text(text)
    found.start()
    yield found
    found.kill()
    found.names.line.close()
    for server in found.servers:
        server.shutdown()
        server.server_close()
