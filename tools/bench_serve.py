"""`make bench-serve`: the scoring server against `mlflow models serve` and a tuned FastAPI app, over one trained model.

All serve the same rows with one worker each and must answer the same scores first. Exits with 1 when a must is missed.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from tools import bench
from tools.bake import TEMPLATE, bake
from tools.serving import load, promises, sizes
from tools.serving.contenders import Contender, Rows, Running, Stopped, ask, contenders, memory, on, running, same

HOME = TEMPLATE / "build" / "bench-serve"
ROUNDS, SECONDS, WARM_UP = 5, 10.0, 3.0
MANY = 1000
BATCH = 10_000_000
SHARE = 0.5
"""Of what the slowest contender holds in the closed loop: the rate of the open loop."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured on both sides. `ratio` is how many times better ours is; below `must` something is broken."""

    name: str
    other: str
    unit: str
    ours: float
    theirs: float
    must: float | None = None
    goal: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        return self.ours / self.theirs if self.more_is_better else self.theirs / self.ours

    @property
    def broken(self) -> bool:
        """Whether the must is missed."""
        return self.must is not None and not self.ratio >= self.must

    @property
    def word(self) -> str:
        """What the last column says."""
        if self.must is None:
            return ""
        if self.broken:
            return "must missed"
        return "goal met" if self.goal is None or self.ratio >= self.goal else "must met"


def main(arguments: Sequence[str]) -> None:
    """Measure all, print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds and 200,000 rows of batch, to try it")
    parser.add_argument("--project", type=Path, help="a project that was trained and tracked; else one is made")
    given = parser.parse_args(arguments)
    if not hasattr(os, "sched_setaffinity"):
        raise Stopped("bench-serve pins processes to cores and reads /proc: run it on Linux")
    load.wrk()
    HOME.mkdir(parents=True, exist_ok=True)
    project = given.project.resolve() if given.project else trained(HOME)
    with tempfile.TemporaryDirectory(prefix="mergeline-bench-serve-") as folder:
        scratch = Path(folder)
        model = logged(project, scratch)
        rivals, rows = contenders(project, str(model)), held_out(project)
        figures = [
            *served(rivals, rows, quick=given.quick),
            *kept(rivals[0], project / "bundle", rows, quick=given.quick),
            *installs(project, model),
            *batch(project, scratch, 200_000 if given.quick else BATCH),
        ]
    sys.exit(report(figures))


def report(figures: Sequence[Figure]) -> int:
    """Print the table and the machine; give the exit code."""
    console.print(drawn(figures))
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, one worker each")
    return int(any(figure.broken for figure in figures))


def drawn(figures: Sequence[Figure]) -> Table:
    """Draw the table: a missed must in red, a missed goal in yellow, each with a word too."""
    table = Table("figure", "ours", "against", "theirs", "ratio", "must", "goal", "", title="Measured on this machine")
    colours = {"must missed": "red", "must met": "yellow"}
    for one in figures:
        bounds = ["" if bound is None else f"{bound:g}x" for bound in (one.must, one.goal)]
        values = [f"{value:,.{0 if value >= 100 else 2}f} {one.unit}" for value in (one.ours, one.theirs)]
        cells = [one.name, values[0], one.other, values[1], f"{one.ratio:,.1f}x", *bounds, one.word]
        table.add_row(*cells, style=colours.get(one.word))
    return table


def trained(home: Path) -> Path:
    """Generate the example, train it, and log its model to the MLflow beside it."""
    shutil.rmtree(home / "flight-delays", ignore_errors=True)
    project = bake(home, {"project": "flight-delays"})
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    for command in (
        ["git", "init", "--quiet", "--initial-branch", "main"],
        ["git", "add", "--all"],
        [*git, "commit", "--quiet", "--message", "Generate from the template"],
        ["make", "setup"],
        ["dvc", "repro"],
        ["model", "track"],
    ):
        run(command, project)
    return project


def logged(project: Path, into: Path) -> Path:
    """Give a folder with the MLflow model that `model track` logged. Raises Stopped."""
    try:
        made = json.loads((project / "results/mlflow.json").read_bytes())["run_id"]
    except OSError:
        raise Stopped(f"{project} has no results/mlflow.json: run `make train` in it") from None
    run(["mlflow", "artifacts", "download", "--artifact-uri", f"runs:/{made}/model", "--dst-path", str(into)], project)
    return next(into.rglob("MLmodel")).parent


def held_out(project: Path) -> Rows:
    """Give raw rows that the model never saw, the columns of a request only."""
    signature = json.loads((project / "bundle/signature.json").read_bytes())
    frame = pl.read_parquet(project / "data/held_out.parquet", columns=[one["name"] for one in signature["columns"]])
    return frame.head(MANY).to_dicts()


def served(found: Sequence[Contender], rows: Rows, *, quick: bool) -> list[Figure]:
    """Start all, compare their answers, then measure in turn."""
    rounds, seconds = (2, 1.0) if quick else (ROUNDS, SECONDS)
    serving, loading = halves()
    loops: dict[tuple[str, str], list[float]] = {}
    singles = {one.name: [one.body([row]) for row in rows[:200]] for one in found}
    many = {one.name: [one.body(rows)] for one in found}

    def measured(kind: str, server: Running, value: float) -> None:
        loops.setdefault((kind, server.contender.name), []).append(value)

    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(one, HOME / f"{one.name}.log", serving, rows)) for one in found]
        expected = ask(found[0], servers[0].port, rows)
        for server in servers:
            same(expected, ask(server.contender, server.port, rows), server.contender.name)
            console.print(f"{server.contender.name}: the same {len(rows)} scores", style="dim")
        for server in servers:
            name = server.contender.name
            load.closed(server, singles[name], loading, connections=16, seconds=WARM_UP if not quick else 1)
        for number in range(rounds):
            console.print(f"round {number + 1} of {rounds}", style="dim")
            for server in servers:
                name = server.contender.name
                busy = load.closed(server, singles[name], loading, connections=16, seconds=seconds)
                measured("busy", server, busy.per_second)
                measured("p50", server, load.closed(server, singles[name], loading, connections=1, seconds=seconds).p50)
                full = load.closed(server, many[name], loading, connections=1, seconds=seconds)
                measured("rows", server, full.per_second * len(rows))
        rate = SHARE * min(statistics.median(loops["busy", one.name]) for one in found)
        for server in servers:
            measured("memory", server, memory(server.pid))
            with on(loading):
                steady = load.opened(server, singles[server.contender.name], rate=rate, seconds=3 * seconds)
            measured("open p50", server, steady.p50)
            measured("open p99", server, steady.p99)
    for _ in range(rounds):
        for one in found:
            with running(one, HOME / f"{one.name}.log", serving, rows) as server:
                measured("start", server, server.seconds)
    value = {key: statistics.median(values) for key, values in loops.items()}

    def figure(
        name: str, key: str, unit: str, other: str, must: float | None = None, goal: float | None = None
    ) -> Figure:
        more = key in ("busy", "rows")
        return Figure(name, other, unit, value[key, "ours"], value[key, other], must, goal, more_is_better=more)

    return [
        figure("16 connections, single rows", "busy", "req/s", "mlflow", 50, 120),
        figure("16 connections, single rows", "busy", "req/s", "fastapi", 18, 40),
        figure("1 connection, p50", "p50", "ms", "mlflow", 25, 40),
        figure("1 connection, p50", "p50", "ms", "fastapi"),
        figure(f"{len(rows):,} rows a request", "rows", "rows/s", "mlflow", 4, 5.5),
        figure(f"{len(rows):,} rows a request", "rows", "rows/s", "fastapi"),
        *(
            figure(f"open loop, {rate:,.0f} req/s, {q}", f"open {q}", "ms", other)
            for other in ("mlflow", "fastapi")
            for q in ("p50", "p99")
        ),
        figure("memory after load", "memory", "MB", "mlflow", 4, 6),
        figure("memory after load", "memory", "MB", "fastapi"),
        figure("start to first answer", "start", "s", "mlflow", 6, 15),
        figure("start to first answer", "start", "s", "fastapi"),
    ]


def kept(ours: Contender, bundle: Path, rows: Rows, *, quick: bool) -> list[Figure]:
    """Measure what our server promises of itself, each against itself in the plain case."""
    place = promises.Place(ours, HOME, *halves(), rows)
    shadow = promises.shadowed(place, bundle, *((2, 3.0) if quick else (ROUNDS, 2 * SECONDS)))
    accepted, refused, share = promises.flooded(place, 3.0 if quick else 30.0)
    console.print(f"five times too much: {share:.0%} accepted, the rest 503", style="dim")
    return [
        Figure(f"p99 with a shadow, {promises.RATE:g} req/s", "without", "ms", shadow.hard, shadow.plain, 0.833),
        Figure("p99 of what a flood lets through", "alone", "ms", accepted.hard, accepted.plain, 0.333),
        Figure("p99 of its 503", "alone", "ms", refused.hard, refused.plain),
    ]


def halves() -> tuple[frozenset[int], frozenset[int]]:
    """Give the core that serves and the one that loads, one and the same where there is one."""
    cores = sorted(os.sched_getaffinity(0))
    return frozenset(cores[:1]), frozenset(cores[1:2] or cores)


def installs(project: Path, model: Path) -> list[Figure]:
    """Measure what the image installs against what MLflow's model says that it needs, at the locked versions."""
    ours = sizes.installed(HOME / "venv-ours", project / "requirements/serve.txt", "--require-hashes")
    locked = ("--constraint", str(project / "requirements/dev.txt"))
    theirs = sizes.installed(HOME / "venv-mlflow", model / "requirements.txt", *locked)
    return [Figure("installed size", "mlflow", "MB", ours, theirs, 3.5, 4)]


def batch(project: Path, scratch: Path, rows: int) -> list[Figure]:
    """Score a file of so many rows by `model predict` and by pandas with the pipeline, each a program of its own."""
    given = scratch / "rows.parquet"
    few = pl.read_parquet(project / "data/held_out.parquet")
    pl.concat([few.lazy()] * -(-rows // len(few))).head(rows).sink_parquet(given)
    python = str(project / ".venv/bin/python")
    predict = [
        python,
        "-m",
        "mergeline.cli",
        "predict",
        "--input",
        str(given),
        "--output",
        str(scratch / "ours.parquet"),
    ]
    pandas = [python, "-m", "tools.serving.pandas_batch", str(project), str(given), str(scratch / "theirs.parquet")]
    ours = program(predict, project, {"PYTHONPATH": str(project / "src")})
    theirs = program(pandas, project, {"PYTHONPATH": str(TEMPLATE)})
    return [
        Figure(f"batch, {rows:,} rows", "pandas", "s", ours[0], theirs[0], 3, 6),
        Figure("  its peak memory", "pandas", "MB", ours[1], theirs[1]),
    ]


def program(command: Sequence[str], cwd: Path, env: dict[str, str]) -> tuple[float, float]:
    """Run a program; give its seconds and its peak memory in MB. Raises Stopped."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=cwd, env=os.environ | env, stdout=said, stderr=said)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        if process.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise Stopped(f"{' '.join(command[:4])} failed: {last[0]:.300}")
    return seconds, usage.ru_maxrss / 1024


def run(command: list[str], project: Path) -> None:
    """Run a command in the project's environment; its failure ends the benchmark with what it said."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CI", "PYTHONPATH")}
    env |= {"PATH": f"{project / '.venv/bin'}:{env['PATH']}", "DVC_NO_ANALYTICS": "1"}
    bench.run(command, project, env | {"MLFLOW_TRACKING_URI": f"sqlite:///{project / 'mlflow.db'}"})


if __name__ == "__main__":
    main(sys.argv[1:])
