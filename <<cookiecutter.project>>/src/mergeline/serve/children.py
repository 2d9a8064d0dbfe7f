"""Worker processes, from the start of each until it has drained: what whoever keeps several of them needs."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

WORKER = "mergeline.serve.worker"
LOG_BYTES = 10_000_000
METRICS = "MERGELINE_METRICS"
"""Names the folder where the workers of one server add up what they count."""


@dataclass(frozen=True)
class Spec:
    """What shall run. `secrets` maps an environment variable to the file that holds its value.

    `python` and `code` are the interpreter and the source folder of whoever deployed it: a supervisor outlives the
    checkout that started it.
    """

    generation: str
    release: str | None
    bundle: str | None
    bundle_id: str | None
    workers: int = 1
    python: str = sys.executable
    code: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Worker:
    """A worker process; `pipe` is where it says that it is ready, None once it closed it, as it does when it drains."""

    process: "subprocess.Popen[bytes]"
    spec: Spec
    started: float
    log_from: int
    pipe: int | None
    ready: bool = False
    draining_since: float | None = None

    @property
    def state(self) -> Literal["starting", "silent", "ready", "draining"]:
        """Say where in its life it is; silent: it closed its pipe and never said that it was ready."""
        if self.draining_since is not None:
            return "draining"
        if self.ready:
            return "ready"
        return "silent" if self.pipe is None else "starting"

    def ended(self, ready_seconds: float, drain_seconds: float) -> str | None:
        """Say how it ended, None while it lives; one that is not ready or not drained in time is killed."""
        self.listen()
        code = self.process.poll()
        if code is not None:
            return f"ended with {_cause(code)}"
        if self.state == "silent":
            self.kill()
            code = self.process.returncode  # its own, when it closed its pipe because it was ending
            return "closed its pipe before it was ready" if code == -signal.SIGKILL else f"ended with {_cause(code)}"
        if self.state == "starting" and time.monotonic() - self.started > ready_seconds:
            self.kill()
            return f"was not ready after {ready_seconds:.0f} s"
        if self.drains_for() > drain_seconds:
            self.process.kill()
        return None

    def listen(self) -> None:
        """Read its pipe when there is something to read."""
        if self.pipe is not None and select.select([self.pipe], [], [], 0)[0]:
            if os.read(self.pipe, 1):
                self.ready = True
            else:
                self.close()

    @property
    def hands_over(self) -> bool:
        """Say whether it was asked to drain and may still accept a connection."""
        return self.draining_since is not None and self.pipe is not None

    def drain(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask it, once, to finish what it answers and to end."""
        if self.draining_since is None:
            self.draining_since = time.monotonic()
            self.process.send_signal(by)

    def drains_for(self) -> float:
        """Give the seconds since it was asked to."""
        return 0.0 if self.draining_since is None else time.monotonic() - self.draining_since

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Let go of its pipe."""
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None

    def last_words(self, log: Path) -> str:
        """Give the last line that was logged since it started."""
        with contextlib.suppress(OSError), log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(min(self.log_from, end), end - 8000))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
            return lines[-1].strip()[:300] if lines else ""
        return ""


def start(
    spec: Spec, module: str, listener: int, log: Path | None, env: Mapping[str, str], options: Sequence[str] = ()
) -> Worker:
    """Start a worker on the listening socket.

    Args:
        spec: what it serves.
        module: that is run.
        listener: the socket's descriptor.
        log: the file that gets what it says; without one it goes where this process's own goes.
        env: what it finds in its environment beside this process's and before what `spec` sets.
        options: of the module, beside those that `spec` gives.

    Raises:
        OSError: a secret's file cannot be read, or the machine cannot run another process.
    """
    secrets = {name: Path(file).read_text().strip() for name, file in spec.secrets.items()}
    if log is not None and log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name("log.1"))
    reader, writer = os.pipe()
    named = {"--bundle": spec.bundle, "--expect": spec.bundle_id, "--release": spec.release}
    said = [word for name, value in named.items() if value is not None for word in (name, value)]
    try:
        with log.open("ab") if log is not None else contextlib.nullcontext() as out:
            process = subprocess.Popen(
                [spec.python, "-m", module, "--fd", str(listener), "--ready-fd", str(writer), *said, *options],
                pass_fds=(listener, writer),
                env={
                    **os.environ,
                    **({"PYTHONPATH": spec.code} if spec.code else {}),
                    **env,
                    **spec.env,
                    **secrets,
                },
                process_group=0,  # Ctrl-C at a terminal is this process's to pass on
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return Worker(process, spec, time.monotonic(), log.stat().st_size if log is not None else 0, reader)


def _cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
