"""The servers that are compared: how each starts, what it is asked, what its answer says; none outlives its block."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bake import TEMPLATE
from tools.ports import free_port

Rows = Sequence[dict[str, Any]]
START_SECONDS = 180
TOLERANCE = 1e-5


class Stopped(SystemExit):
    """The benchmark cannot go on; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to serve the project's model: `scores` reads an answer's body, a list of probabilities per row."""

    name: str
    path: str
    command: Callable[[int], list[str]]
    body: Callable[[Rows], bytes]
    scores: Callable[[bytes], list[list[float]]]
    env: dict[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answered; `seconds` from its start to its first answer."""

    contender: Contender
    port: int
    pid: int
    seconds: float


def contenders(project: Path, model: str) -> list[Contender]:
    """Give ours, MLflow's and FastAPI's, all of the project's environment. `model` is the MLflow model's folder."""
    python, source = str(project / ".venv/bin/python"), str(project / "src")
    classes = json.loads((project / "bundle/signature.json").read_bytes())["classes"]

    def ours(body: bytes) -> list[list[float]]:
        return probabilities(json.loads(body)["predictions"])

    def probabilities(rows: list[dict[str, Any]]) -> list[list[float]]:
        return [[row[f"probability_{one}"] for one in classes] or [row["prediction"]] for row in rows]

    serve = [python, "-m", "mergeline.cli", "serve", "--bundle", str(project / "bundle"), "--port"]
    mlflow = [python, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    fastapi = [python, "-m", "uvicorn", "tools.serving.app:app", "--no-access-log", "--log-level", "warning", "--port"]
    # MLflow starts its server as a program that it finds on the PATH.
    path = f"{project / '.venv/bin'}:{os.environ['PATH']}"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    return [
        Contender("ours", "/invocations", lambda port: [*serve, str(port)], records, ours, {"PYTHONPATH": source}),
        Contender(
            "mlflow",
            "/invocations",
            lambda port: [*mlflow, "--model-uri", model, "--port", str(port)],
            records,
            ours,
            quiet,
        ),
        Contender(
            "fastapi",
            "/predict",
            lambda port: [*fastapi, str(port)],
            lambda rows: json.dumps(rows).encode(),
            lambda body: list(json.loads(body)["scores"]),
            {"PROJECT": str(project), "PYTHONPATH": str(TEMPLATE)},
        ),
    ]


def records(rows: Rows) -> bytes:
    """Give a body of MLflow's protocol."""
    return json.dumps({"dataframe_records": list(rows)}).encode()


@contextlib.contextmanager
def running(contender: Contender, log: Path, cores: frozenset[int], rows: Rows) -> Iterator[Running]:
    """Start a server on some cores, wait for its first answer; stop it and its children at the end. Raises Stopped."""
    port = free_port()
    begun = time.monotonic()
    with log.open("ab") as out, on(cores):
        process = subprocess.Popen(
            contender.command(port),
            cwd=log.parent,
            env={**os.environ, **contender.env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # so that its group is all that it starts
        )
    try:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(contender, port, rows[:1])
                break
            if process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise Stopped(f"{contender.name} did not start: see {log}")
            time.sleep(0.01)
        yield Running(contender, port, process.pid, time.monotonic() - begun)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process's group, politely first."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)


def ask(contender: Contender, port: int, rows: Rows) -> list[list[float]]:
    """Give the scores that a server answers. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", contender.path, contender.body(rows), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise http.client.HTTPException(f"{contender.name}: {answer.status} {content[:200]!r}")
    return contender.scores(content)


def same(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], name: str) -> None:
    """Refuse a server that answers other scores than ours. Raises Stopped."""
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        raise Stopped(f"{name} answers another number of scores than ours: the two do not serve the same model")
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        worst = max(abs(x - y) for x, y in zip(a, b, strict=True))
        if not worst <= TOLERANCE:  # NaN differs too
            raise Stopped(f"{name} differs from ours by {worst:.2g} in row {i}: the two do not do the same work")


def memory(group: int) -> float:
    """Give the MB that a process group holds, shared pages counted once (PSS)."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(entry.name)) == group:
                lines = (entry / "smaps_rollup").read_text(encoding="utf-8").splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


@contextlib.contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """Let what is started in the block run on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
