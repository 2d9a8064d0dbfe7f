"""One server process on a listening socket that somebody else owns; it hands over without a failed request.

    python -m mergeline.serve.worker --fd N --bundle DIR --release ID [--expect BUNDLE_ID] --ready-fd M [--pool]

Writes the byte `1` to `--ready-fd` as soon as it accepts. On SIGTERM it stops accepting (the next worker holds
the same socket) and closes `--ready-fd`, answers what still comes on open connections with `Connection: close`, and
exits 0.
With `--pool` it is one of `model serve --workers`, which drain together: it goes on accepting while it drains, since
nobody takes over, and drains by itself when the other end of `--ready-fd` is gone, and so its parent.
A bundle that fails its verification: exit code 7 and one line on stderr.
On SIGHUP, and when the file that MERGELINE_PIN names changed, it loads anew, see `experiment.reload`.
"""

import argparse
import asyncio
import contextlib
import functools
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import cast

import numpy as np
import uvicorn

from .. import bundle
from ..bundle import Bundle
from ..errors import Integrity, MergelineError
from . import journal, settings
from .app import Application
from .experiment.reload import Reloader, Source
from .logs import log_json
from .protocol import Protocol
from .settings import Settings

GRACE_SECONDS = 2.0
# Longer than the 60 s of usual load balancers: they, not the server, end an idle connection.
KEEP_ALIVE_SECONDS = 75
FINISH_SECONDS = 30

log = logging.getLogger("mergeline.serve")


class Server(uvicorn.Server):
    """uvicorn, with a drain before its shutdown."""

    def __init__(
        self, app: Application, *, hand_over: Callable[[], None] | None, grace: float, ready: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio" if sys.platform == "win32" else "uvloop",
                http=cast(
                    "type[asyncio.Protocol]", functools.partial(Protocol, settings=app.settings, refused=app.refused)
                ),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )
        self._app = app
        self._hand_over = hand_over
        self._grace = grace
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain for the grace period, or until no connection is open, then finish what is in flight."""
        log.info("draining", extra={"fields": {"connections": len(self.server_state.connections)}})
        self._app.drain()
        if self._hand_over:
            for server in self.servers:
                server.close()
            self._hand_over()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._grace
        while loop.time() < end and not (self._hand_over and not self.server_state.connections):
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
        log.info("stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM and SIGINT without raising them again at the end: a drained server exits 0."""
        signals = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; a person at the keyboard does not wait for the grace period."""
        if sig == signal.SIGINT:
            self._grace = 0
        super().handle_exit(sig, frame)


def prepare(folder: Path, expected: str | None) -> Bundle:
    """Load a bundle for one thread and see that it answers its smoke rows as it did when it was exported.

    Raises:
        Integrity: a hash does not match, or an answer is off.
    """
    loaded = bundle.load(folder, expected, threads=1)
    rows = loaded.smoke.rows
    if rows:
        scores = loaded.scores(bundle.raw_from_rows(loaded.signature, rows))
        if not np.allclose(scores, np.asarray(loaded.smoke.scores), rtol=1e-5, atol=1e-5):
            raise Integrity(f"{folder.name}/: the model does not answer {bundle.SMOKE} as it did when it was exported")
    return loaded


def application(source: Source, said: Settings) -> Application:
    """Make the application that answers by what the source gives. Raises Integrity, BadSettings."""
    if writes := journal.wanted(said):
        source.record = writes.shadowed
    return Application(source.arms(), said, writes)


def serve(
    app: Application,
    listening: socket.socket,
    source: Source,
    *,
    hand_over: Callable[[], None] | None = None,
    grace: float = GRACE_SECONDS,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve on a listening socket until SIGTERM or SIGINT.

    Args:
        source: what a reload loads from.
        hand_over: given when another process accepts on the same socket: stop accepting as soon as the drain begins,
            and call it then; else go on, with `Connection: close`, until load balancers have noticed.
        grace: seconds of draining.
        ready: called once, when connections are accepted.
    """
    reloader = Reloader(source, app.use)
    before = signal.signal(signal.SIGHUP, reloader.ring)
    try:
        Server(app, hand_over=hand_over, grace=grace, ready=ready).run([listening])
    finally:
        signal.signal(signal.SIGHUP, before)
        reloader.close()
        app.close()


def main() -> None:
    """Run the command of this module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m mergeline.serve.worker")
    parser.add_argument("--fd", type=int, required=True, help="the inherited listening socket")
    parser.add_argument("--bundle", type=Path, required=True, help="the folder to serve")
    parser.add_argument("--release", help="the release id that answers carry")
    parser.add_argument("--expect", help="the bundle id that the folder must have")
    parser.add_argument("--ready-fd", type=int, help="gets the byte 1 when it accepts, is closed when no more")
    parser.add_argument("--pool", action="store_true", help="drain with all others on this socket, and with the parent")
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, help="seconds of draining")
    given = parser.parse_args()
    if given.pool:
        threading.Thread(target=_end_with_reader, args=(given.ready_fd,), name="parent", daemon=True).start()
    log_json()
    source = Source(given.bundle, given.expect, given.release, os.environ, prepare)
    try:
        app = application(source, settings.read(os.environ))
    except MergelineError as error:
        sys.stderr.write(f"error {error}\n")
        sys.exit(error.code)

    def ready() -> None:
        log.info("ready", extra={"fields": {"release": given.release, "pid": os.getpid()}})
        if given.ready_fd is not None:
            os.write(given.ready_fd, b"1")

    def hand_over() -> None:
        if given.ready_fd is not None:
            os.close(given.ready_fd)

    taken_over = None if given.pool else hand_over
    serve(app, socket.socket(fileno=given.fd), source, hand_over=taken_over, grace=given.grace, ready=ready)


def _end_with_reader(pipe: int) -> None:
    """Drain as soon as nobody holds the end of the pipe from which it is read."""
    watch = select.poll()
    watch.register(pipe, 0)  # errors and hang-ups are told unasked
    watch.poll()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
