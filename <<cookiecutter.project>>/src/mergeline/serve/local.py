"""Start, switch and stop the supervisor of a local environment: what the Terraform module `local` calls.

python -m mergeline.serve.local start --name NAME --environment ENV --host HOST --port PORT
python -m mergeline.serve.local switch --name NAME --environment ENV     (what to run: MERGELINE_SPEC, JSON)
python -m mergeline.serve.local stop --name NAME --environment ENV
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from .. import processes, state
from ..errors import Conflict, DeploymentFailed, Integrity, MergelineError
from . import children, supervisor, waiting

# What a server needs of the surroundings of whoever deploys it: no token, and nothing by which a CI runner would find
# and end it after the job.
KEPT = re.compile(
    r"(PATH|HOME|USER|SHELL|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|VIRTUAL_ENV|(PYTHON|OMP_|SSL_|XDG_|MERGELINE_)\w*)"
)


def run_folder(name: str, environment: str) -> Path:
    """Give the folder that the supervisor of an environment works in."""
    return state.environment_folder(name, environment) / "run"


def start(folder: Path, host: str, port: int, worker: str = children.WORKER) -> None:
    """Start a supervisor that outlives this process; nothing to do when it runs at this address already.

    Raises:
        Conflict: the port is taken, or the environment's supervisor listens elsewhere.
        DeploymentFailed: it ended at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with processes.locked(folder / "starting", "the start of this environment"):
        if processes.held(folder / "lock"):
            running = state.supervisor(folder)
            if (running.get("host"), running.get("port")) == (host, port):
                return
            raise Conflict(f"the environment listens on port {running.get('port')} already", "Destroy it first.")
        end_orphans(folder)
        for left in ("state.json", "wanted.json"):
            (folder / left).unlink(missing_ok=True)
        listener = processes.listen(host, port)
        arguments = ["run", "--folder", folder, "--fd", listener.fileno(), "--worker", worker]
        with listener, (folder / "log").open("ab") as log:
            # A session and streams of its own: Terraform waits for whoever holds its pipes.
            done = subprocess.run(
                [sys.executable, "-m", "mergeline.serve.local", *map(str, arguments)],
                pass_fds=(listener.fileno(),),
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if KEPT.fullmatch(name)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode or not _until(lambda: processes.held(folder / "lock") and state.supervisor(folder), 20):
            raise DeploymentFailed(f"the supervisor did not start: {tail(folder)}")


def switch(folder: Path, spec: dict[str, Any], bundles: Path) -> None:
    """Replace what runs without a gap.

    Args:
        folder: the supervisor's.
        spec: `release`, `bundle_id` (both null for nothing), `workers`, `env`, `secrets`.
        bundles: the store that holds the bundle.

    Raises:
        Integrity: the bundle is not in the store, or is another one.
        Conflict: no supervisor runs.
        DeploymentFailed: the new one did not become ready; the old one runs on.
    """
    place = bundles / spec["bundle_id"] if spec["bundle_id"] else None
    if place is not None:
        index = place / "bundle.json"
        if not index.is_file() or hashlib.sha256(index.read_bytes()).hexdigest() != spec["bundle_id"]:
            raise Integrity(f"the store has no bundle {spec['bundle_id'][:12]}", "Deploy with `model deploy ENV`.")
    if not processes.held(folder / "lock"):
        raise Conflict("the environment's supervisor is dead", "`model deploy ENV` starts it again.")
    generation = uuid.uuid4().hex
    supervisor.write(
        folder / "wanted.json",
        {
            **spec,
            # Where an experiment's bundle lies too; whoever says otherwise in `env` means it.
            "env": {"MERGELINE_BUNDLES": str(bundles), **spec.get("env", {})},
            "generation": generation,
            "bundle": str(place) if place else None,
            "python": sys.executable,
            "code": os.environ.get("PYTHONPATH", ""),
        },
    )
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(state.supervisor(folder)["pid"]), signal.SIGHUP)
    answered = _until(
        lambda: state.supervisor(folder).get("answered") == generation,
        waiting.ready_seconds() + waiting.DRAIN_SECONDS + 10,
    )
    error = state.supervisor(folder).get("error") if answered else f"the supervisor did not answer: {tail(folder)}"
    if error:
        raise DeploymentFailed(str(error))


def stop(folder: Path) -> None:
    """End the supervisor and its workers, let them finish what they answer, and leave no file behind."""
    if processes.held(folder / "lock"):
        pid = int(state.supervisor(folder)["pid"])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _until(lambda: not processes.held(folder / "lock"), waiting.DRAIN_SECONDS + 10):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    end_orphans(folder)
    shutil.rmtree(folder, ignore_errors=True)


def end_orphans(folder: Path) -> None:
    """End the workers that a killed supervisor left: they hold its port."""
    for worker in state.supervisor(folder).get("workers", []):
        # The pid may be another process's by now: only one that serves a bundle is ours.
        if "--ready-fd" in processes.command_of(worker["pid"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker["pid"], signal.SIGKILL)
            _until(lambda pid=worker["pid"]: "--ready-fd" not in processes.command_of(pid), 5)


def tail(folder: Path) -> str:
    """Give the last line of the log."""
    with contextlib.suppress(OSError):
        lines = (folder / "log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "nothing in its log"
    return "no log"


def _until(done: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command(arguments: list[str] | None = None) -> None:
    """Parse and call."""
    parser = argparse.ArgumentParser(prog="python -m mergeline.serve.local")
    parser.add_argument("verb", choices=["start", "switch", "stop", "run"])
    parser.add_argument("--name")
    parser.add_argument("--environment")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--folder", type=Path, help="of `run`: where the supervisor works")
    parser.add_argument("--fd", type=int, help="of `run`: the listening socket")
    parser.add_argument("--worker", default=children.WORKER, help="the module that serves")
    given = parser.parse_args(arguments)
    if given.verb == "run":
        if os.fork():
            os._exit(0)  # whoever started it has no child to wait for
        supervisor.main(given.folder, given.fd, given.worker, waiting.ready_seconds(), waiting.DRAIN_SECONDS)
        return
    folder = run_folder(given.name, given.environment)
    if given.verb == "start":
        start(folder, given.host, given.port, given.worker)
    elif given.verb == "switch":
        switch(folder, json.loads(os.environ["MERGELINE_SPEC"]), state.state_folder(given.name) / "bundles")
    else:
        stop(folder)


if __name__ == "__main__":
    try:
        command()
    except MergelineError as failure:
        sys.stderr.write(f"error {failure}\n")
        sys.exit(failure.code)
