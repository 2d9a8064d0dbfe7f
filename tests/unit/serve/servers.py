"""Starts workers as the supervisor does: on a listening socket that the test owns."""

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

import mergeline

SOURCE = Path(mergeline.__file__).parents[1]


@dataclass
class Running:
    """One worker; several share `listening`. `pipe` is what it says to whoever started it."""

    process: subprocess.Popen[bytes]
    listening: socket.socket
    log: Path
    pipe: IO[bytes]
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.listening.getsockname()[1]

    def ask(
        self, path: str, body: bytes | None = None, method: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own; POST when there is a body and no other method is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent = {"content-type": "application/json", **sent}
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def predict(self, body: Any, **headers: str) -> Any:
        """Give the decoded answer of /predict; it must be 200."""
        status, _, answer = self.ask("/predict", msgspec.json.encode(body), **headers)
        assert status == 200, answer
        return msgspec.json.decode(answer)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.listening.close()
        self.pipe.close()


def start(
    folder: Path,
    *,
    release: str | None = None,
    expect: str | None = None,
    beside: Running | None = None,
    grace: float = 0.5,
    ready: bool = True,
    pool: bool = False,
) -> Running:
    """Start a worker and wait until it says that it is ready; `beside` shares the other one's socket.

    `pool`: as one of `model serve --workers`.
    """
    listening = beside.listening.dup() if beside else socket.create_server(("127.0.0.1", 0), backlog=512)
    reader, writer = os.pipe()
    fd = listening.fileno()
    options = ["--fd", fd, "--bundle", folder, "--ready-fd", writer, "--grace", grace]
    options += ["--release", release] if release else []
    options += ["--expect", expect] if expect else []
    options += ["--pool"] if pool else []
    log = folder.parent / f"worker-{fd}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "mergeline.serve.worker", *map(str, options)],
            pass_fds=(fd, writer),
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    os.close(writer)
    running = Running(process, listening, log, os.fdopen(reader, "rb", buffering=0))
    said = os.read(reader, 1) if select.select([reader], [], [], 20)[0] else b""
    if ready and said != b"1":
        running.stop()
        raise AssertionError(f"the worker did not become ready: {log.read_text()}")
    return running
