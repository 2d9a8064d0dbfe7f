"""`make bench`: what the README claims, measured on this machine in one run; exits with 1 when a limit is broken."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools import demo, story
from tools.bake import TEMPLATE, bake

ROUNDS = 5
PARTS = ("src/model", "src/mergeline", "tests", ".github", "infra", "requirements")

RESTORE = """
from pathlib import Path
from mergeline import repo
from mergeline.compare import base
root = Path.cwd()
with base.restored(root, repo.merge_base(root, "main"), "main") as found:
    assert not found.ran and not found.problem, found
"""
"""What `model compare` does before it judges."""

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing; `limit` is None where only its size is of interest."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def broken(self) -> bool:
        """Whether the value is over its limit."""
        return self.limit is not None and self.value > self.limit


def main() -> None:
    """Measure all, print one table."""
    with tempfile.TemporaryDirectory(prefix="mergeline-bench-") as folder:
        figures = [*generation(Path(folder)), *sizes(Path(folder) / "flight-delays"), *check(), *loop()]
    table = Table("figure", "value", "limit", title="Measured on this machine", title_justify="left")
    for figure in figures:
        value = f"{figure.value:,.2f}" if figure.unit in ("s", "x") else f"{figure.value:,.0f}"
        limit = "" if figure.limit is None else f"< {figure.limit:g} {figure.unit}"
        table.add_row(figure.name, f"{value} {figure.unit}", f"[red]{limit}[/]" if figure.broken else limit)
    console.print(table)
    sys.exit(any(figure.broken for figure in figures))


def generation(folder: Path) -> list[Figure]:
    """Time the generation of a project."""

    def once() -> None:
        shutil.rmtree(folder / "flight-delays", ignore_errors=True)
        bake(folder)

    return [Figure("generate a project", median(once), "s", 2)]


def sizes(project: Path) -> list[Figure]:
    """Count lines by part; what a newcomer has to read is src/model."""
    files = [path for path in project.rglob("*") if path.is_file()]
    whole = Figure("generated project", sum(path.stat().st_size for path in files) / 1024, "KB")
    limits = {"src/model": 300.0}
    return [whole, *(Figure(f"lines of {part}", lines(project / part), "lines", limits.get(part)) for part in PARTS)]


def lines(folder: Path) -> int:
    """Count the lines of all text files below a folder."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*") if path.is_file())


def check() -> list[Figure]:
    """Time the template's own `make check`."""
    return [Figure("make check", timed(lambda: run(["make", "check"], TEMPLATE)), "s", 120)]


def loop() -> list[Figure]:
    """Play the demo, then measure in its project: a restored base against a trained one, and a run with nothing to do."""
    times: dict[str, float] = {}
    whole = timed(lambda: times.update(demo.play()))
    demo.down()
    project, env = demo.PROJECT, demo.Play(demo.LOG).env
    run(["git", "switch", "--quiet", "main"], project, env)
    story.WORSE.apply(project)
    run(["dvc", "repro"], project, env)
    restored = median(lambda: run(["python", "-c", RESTORE], project, env))
    forced = timed(lambda: run(["dvc", "repro", "--force", "evaluate", "export"], project, env))
    floor = median(lambda: run(["dvc", "--version"], project, env))
    nothing = median(lambda: run(["dvc", "repro"], project, env))
    return [
        Figure("make demo", whole, "s", 240),
        *(Figure(f"  part ({part})", seconds, "s") for part, seconds in times.items()),
        Figure("restored base, worktree and checks included", restored, "s", 3),
        Figure("  training it instead", forced, "s"),
        Figure("dvc repro with nothing to do, against dvc --version", nothing / floor, "x", 6),
    ]


def median(action: Callable[[], None]) -> float:
    """Give the median seconds of several runs."""
    return statistics.median(timed(action) for _ in range(ROUNDS))


def timed(action: Callable[[], None]) -> float:
    """Give the seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> None:
    """Run a command quietly; its failure ends the benchmark with what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env or dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


if __name__ == "__main__":
    main()
