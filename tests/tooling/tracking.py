"""A real `mlflow server` for tests, stopped with all its workers."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.ports import free_port

PATIENCE = 180
"""Seconds; a quiet machine needs ten."""
QUIET = {"DO_NOT_TRACK": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""No telemetry, and none of the processes that evaluate texts in the background."""


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start one with its database and artifacts below `folder`; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "kept")]
    with (folder / "server.log").open("wb") as log:
        running = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True, env={**os.environ, **QUIET}
        )
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + PATIENCE
            while not _answers(f"{url}/health"):
                if running.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"mlflow server did not start:\n{(folder / 'server.log').read_text()[-2000:]}")
                time.sleep(0.5)
            yield url
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - an address of this machine
            return bool(response.status == 200)
    except OSError:
        return False
