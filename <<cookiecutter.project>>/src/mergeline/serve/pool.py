"""Keeps the workers of `model serve --workers N` on one listening socket; it answers nothing itself.

A connection waits in the socket's queue until a worker takes it, so one that ends costs what it had taken, no more.
Workers say what they say on this process's own stderr. They drain with it: by its word, or by themselves when it is
killed.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping

from ..errors import DeploymentFailed
from . import children, waiting
from .children import Spec, Worker
from .settings import LOG_KEY, Settings
from .waiting import Bell, Pause

MEMORY = "/dev/shm"  # noqa: S108 - the folder made in it is this process's alone

log = logging.getLogger("mergeline.serve")


class Pool:
    """One loop: look at the workers, start what lacks, pass signals on."""

    def __init__(self, spec: Spec, listening: socket.socket, env: Mapping[str, str], ready: Callable[[], None]) -> None:
        self._spec, self._listening, self._env, self._ready = spec, listening, env, ready
        self._ready_seconds = waiting.ready_seconds()
        self._workers: list[Worker] = []
        self._rung: set[Worker] = set()
        self._pause, self._bell = Pause(), Bell()
        self._said = False
        self._stopping: signal.Signals | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; leaves no worker behind. Raises DeploymentFailed, SystemExit: see `_gone`."""
        self._bell.hang()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, lambda *_: self._rung.update(self._workers))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not (self._stopping and not self._workers):
                self._look()
                if self._stopping:
                    self._drain(self._stopping)
                else:
                    self._fill()
                self._bell.wait([w.pipe for w in self._workers if w.pipe is not None], 0.2)
        finally:
            for worker in self._workers:
                worker.kill()
                worker.close()

    def _stop(self, number: int, _: object) -> None:
        self._stopping = self._stopping or signal.Signals(number)

    def _look(self) -> None:
        for worker in list(self._workers):
            how = worker.ended(self._ready_seconds, waiting.DRAIN_SECONDS)
            if how is not None:
                self._gone(worker, how)
            elif worker.ready and worker in self._rung:  # before it is ready, the signal would end it
                self._rung.discard(worker)
                worker.process.send_signal(signal.SIGHUP)

    def _gone(self, worker: Worker, how: str) -> None:
        """Give up when none answers and the next one cannot either.

        Raises:
            SystemExit: with the code of a worker that said on stderr what is wrong.
            DeploymentFailed: it was killed, or not ready in time.
        """
        self._workers.remove(worker)
        self._rung.discard(worker)
        worker.close()
        if self._stopping:
            return
        log.error("a worker is gone", extra={"fields": {"pid": worker.process.pid, "how": how}})
        self._pause.after(worker.started)
        if worker.ready or any(other.ready for other in self._workers):
            return
        if worker.process.returncode > 0:
            raise SystemExit(worker.process.returncode)
        raise DeploymentFailed(f"a worker {how}, and no other one answers", "Read the log above.")

    def _drain(self, by: signal.Signals) -> None:
        """Ask all to drain; they, not this process, accept until load balancers have noticed."""
        self._listening.close()
        for worker in self._workers:
            worker.drain(by if worker.ready else signal.SIGTERM)  # Python tells where an early Ctrl-C met it

    def _fill(self) -> None:
        while len(self._workers) < self._spec.workers and self._pause.over:
            try:
                fd = self._listening.fileno()
                self._workers.append(children.start(self._spec, children.WORKER, fd, None, self._env, ["--pool"]))
            except OSError as error:
                if not any(worker.ready for worker in self._workers):
                    raise DeploymentFailed(f"no worker can be started: {error}", "Give fewer --workers.") from error
                log.error("a worker cannot be started", extra={"fields": {"error": str(error)}})
                self._pause.longest()
        if not self._said and len(self._workers) == self._spec.workers and all(w.ready for w in self._workers):
            self._said = True
            self._ready()


def run(spec: Spec, listening: socket.socket, said: Settings, *, ready: Callable[[], None]) -> None:
    """Serve by `spec.workers` workers until SIGTERM or SIGINT.

    Args:
        spec: what they serve.
        listening: the socket that all of them accept on; closed at the end.
        said: by the environment.
        ready: called once, when all of them accept.

    Raises:
        BadSettings: MERGELINE_READY_SECONDS is no number.
        DeploymentFailed, SystemExit: no worker became ready.
    """
    with _shared(said) as env:
        Pool(spec, listening, env, ready).run()


@contextlib.contextmanager
def _shared(said: Settings) -> Iterator[Mapping[str, str]]:
    """Give the variables by which workers add up their metrics and hash alike, where the environment has none."""
    env: dict[str, str] = {}
    if said.prediction_log and not said.log_key:
        env[LOG_KEY] = secrets.token_hex(32)
    if said.metrics:
        yield env
        return
    try:
        folder = tempfile.mkdtemp(prefix="mergeline-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    except OSError as error:
        log.warning("metrics are each worker's alone", extra={"fields": {"error": str(error)}})
        yield env
        return
    try:
        yield env | {children.METRICS: folder}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
