"""Keeps the workers of one local environment alive, and replaces them without a gap.

It owns the listening socket, so a connection that arrives while a worker is replaced waits in the socket's queue.
A switch starts the new workers, waits until each says that it is ready, and only then lets the old ones drain;
a new worker that does not become ready leaves the old ones as they are, and the switch fails with its reason.
A switch is answered when no old one accepts any more: from then on a new connection meets the new release alone.

It is told what to do through files in its folder, and a signal to look at them:

    lock          held while it lives: the kernel frees it however the process ends
    wanted.json   what shall run (written by `switch`)
    state.json    what runs, and how the last switch went (read by `switch` and `model status`)
    log           of the supervisor and its workers
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from .. import processes
from . import children
from .children import Spec, Worker
from .waiting import Bell, Pause

NOTHING_PINNED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b'{"error": "no release is pinned here"}\n'
)


class Supervisor:
    """One loop: read what is wanted, look at the children, start or drain at most what brings the two together."""

    def __init__(
        self, folder: Path, listener: socket.socket, worker: str, ready_seconds: float, drain_seconds: float
    ) -> None:
        self.folder, self.listener, self.module = folder, listener, worker
        self.ready_seconds, self.drain_seconds = ready_seconds, drain_seconds
        self.workers: list[Worker] = []
        self.running: Spec | None = None
        self.wanted: Spec | None = None
        self.error: str | None = None
        self.answered: str | None = None
        self.pause, self.restarts = Pause(), 0
        self.stopping = False
        self.bell = Bell()

    def run(self) -> None:
        """Work until SIGTERM; leaves no child behind."""
        self.bell.hang()
        for number in (signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.listener.setblocking(False)
        self._say("listens on {}:{}".format(*self.listener.getsockname()[:2]))
        while not (self.stopping and not self.workers):
            self._read_wanted()
            self._look_at_children()
            self._bring_together()
            self._write_state()
            self._wait()
        self.listener.close()
        self._say("stopped")

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _wait(self) -> None:
        # A connection that comes while a worker is restarted stays in the queue for it.
        pinned = any(spec and spec.release for spec in (self.wanted, self.running))
        idle = [] if pinned or self.stopping else [self.listener]
        pipes = [w.pipe for w in self.workers if w.pipe is not None]
        if self.listener in self.bell.wait([*idle, *pipes], 0.2 if self.workers else 1.0):
            with contextlib.suppress(OSError):
                connection, _ = self.listener.accept()
                with connection:
                    connection.settimeout(1)
                    connection.recv(65536)
                    connection.sendall(NOTHING_PINNED)

    def _read_wanted(self) -> None:
        try:
            spec = Spec(**json.loads((self.folder / "wanted.json").read_text()))
        except FileNotFoundError:
            return
        known = self.wanted.generation if self.wanted else None
        if spec.generation not in (self.answered, known):
            self._say(f"switches to release {_short(spec.release)}")
            self.wanted, self.pause = spec, Pause()

    def _look_at_children(self) -> None:
        for worker in list(self.workers):
            how = worker.ended(self.ready_seconds, self.drain_seconds)
            if how is not None:
                self._gone(worker, how)

    def _gone(self, worker: Worker, how: str) -> None:
        self.workers.remove(worker)
        was_up = worker.state == "ready"
        worker.close()
        if worker.draining_since is not None:
            return
        said = worker.last_words(self.folder / "log")
        reason = f"the worker of release {_short(worker.spec.release)} {how}" + (f": {said}" if said else "")
        self._say(reason)
        self.pause.after(worker.started)
        self.restarts += 1
        if worker.spec is self.wanted and worker.spec is not self.running and not was_up:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        """Give a switch up: its workers go, what ran before runs on."""
        failed = self.wanted
        assert failed is not None  # noqa: S101 - only a wanted spec can be refused; for the type checker
        self.error, self.answered, self.wanted = reason, failed.generation, self.running
        for worker in self.workers:
            if worker.spec is failed:
                worker.drain()

    def _bring_together(self) -> None:
        if self.stopping:
            for worker in self.workers:
                worker.drain()
            return
        spec = self.wanted
        if spec is None:
            return
        mine = [w for w in self.workers if w.spec is spec and w.draining_since is None]
        count = spec.workers if spec.release else 0
        if len(mine) < count and self.pause.over:
            env = {children.METRICS: str(self.folder / "metrics")}
            try:
                log = self.folder / "log"
                self.workers.append(children.start(spec, self.module, self.listener.fileno(), log, env))
            except OSError as error:  # a secret's file is gone, or the machine is out of processes
                self.pause.longest()
                self._say(f"the worker cannot be started: {error}")
                if spec is not self.running:
                    self._refuse(f"the worker cannot be started: {error}")
        elif len(mine) == count and all(w.state == "ready" for w in mine) and spec is not self.running:
            self.running, self.error, self.answered = spec, None, spec.generation
            self._say(f"serves release {_short(spec.release)}")
            for worker in self.workers:
                if worker.spec is not spec:
                    worker.drain()

    def _write_state(self) -> None:
        host, port = self.listener.getsockname()[:2]
        found = {
            "pid": os.getpid(),
            "host": host,
            "port": port,
            "release": self.running.release if self.running else None,
            "running": asdict(self.running) if self.running else None,
            "workers": [{"pid": w.process.pid, "state": w.state, "release": w.spec.release} for w in self.workers],
            "restarts": self.restarts,
            "answered": None if any(w.hands_over for w in self.workers) else self.answered,
            "error": self.error,
        }
        with contextlib.suppress(OSError):  # a full disk is no reason to stop serving
            write(self.folder / "state.json", found)

    def _say(self, words: str) -> None:
        with contextlib.suppress(OSError), (self.folder / "log").open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} supervisor {os.getpid()}: {words}\n")


def write(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON whole or not at all, and only when it changed."""
    text = json.dumps(content, sort_keys=True)
    with contextlib.suppress(OSError):
        if path.read_text() == text:
            return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def _short(release: str | None) -> str:
    return release[:12] if release else "none"


def main(folder: Path, fd: int, worker: str, ready_seconds: float, drain_seconds: float) -> None:
    """Be the supervisor of `folder` on the inherited listening socket `fd`. Raises Conflict when there is one."""
    with processes.locked(folder / "lock", "the supervisor"), socket.socket(fileno=fd) as listener:
        Supervisor(folder, listener, worker, ready_seconds, drain_seconds).run()
        (folder / "state.json").unlink(missing_ok=True)
        shutil.rmtree(folder / "metrics", ignore_errors=True)
