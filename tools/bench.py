"""`make bench`: what the README claims, measured on this machine in one run; exits with 1 when a limit is broken."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools import demo, story
from tools.bake import TEMPLATE, bake
from tools.play import LOG, PROJECT, Play

ROUNDS = 5
OWN = "src/model"
ROOT_FILES = "the root's files"

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
    """One measured thing: above `limit` something is broken, above `goal` it is slower than it should be.

    Both are None where only its size is of interest.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    goal: float | None = None

    @property
    def broken(self) -> bool:
        """Whether the value is over its limit."""
        return self.limit is not None and self.value > self.limit

    @property
    def missed(self) -> bool:
        """Whether the value is over its goal."""
        return self.goal is not None and self.value > self.goal


def main() -> None:
    """Measure all, print one table."""
    with tempfile.TemporaryDirectory(prefix="mergeline-bench-") as folder:
        figures = [*generation(Path(folder)), *sizes(Path(folder) / "flight-delays"), *check(), *loop()]
    console.print(drawn(figures))
    sys.exit(any(figure.broken for figure in figures))


def drawn(figures: Sequence[Figure]) -> Table:
    """Draw the table: what is over its goal in yellow, what is over its limit in red."""
    table = Table("figure", "value", "goal", "limit", title="Measured on this machine", title_justify="left")
    for figure in figures:
        value = f"{figure.value:,.2f}" if figure.unit in ("s", "x") else f"{figure.value:,.0f}"
        table.add_row(
            figure.name,
            f"{value} {figure.unit}",
            _bound(figure.goal, figure.unit, "yellow" if figure.missed else ""),
            _bound(figure.limit, figure.unit, "red" if figure.broken else ""),
        )
    return table


def _bound(bound: float | None, unit: str, colour: str) -> Text:
    """A bound that is not kept is marked with a word too: a log has no colours."""
    if bound is None:
        return Text()
    return Text(f"< {bound:g} {unit}{', missed' if colour else ''}", style=colour)


def generation(folder: Path) -> list[Figure]:
    """Time the generation of a project."""

    def once() -> None:
        shutil.rmtree(folder / "flight-delays", ignore_errors=True)
        bake(folder)

    return [Figure("generate a project", median(once), "s", 2)]


def sizes(project: Path) -> list[Figure]:
    """Count bytes and lines by part, every file in one; what a newcomer has to read is src/model."""
    parts: dict[str, tuple[int, float]] = {}
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        content, name = path.read_bytes(), part(path.relative_to(project))
        lines, size = parts.get(name, (0, 0.0))
        parts[name] = (lines + len(content.splitlines()), size + len(content) / 1024)
    return [
        Figure("generated project", sum(size for _, size in parts.values()), "KB"),
        *(
            Figure(f"  {name}, {size:,.0f} KB", lines, "lines", 300 if name == OWN else None)
            for name, (lines, size) in parts.items()
        ),
    ]


def part(path: Path) -> str:
    """Give the part of the project that a file belongs to: its folder at the top, in `src` the package."""
    depth = 2 if path.parts[0] == "src" else 1
    return "/".join(path.parts[:depth]) if len(path.parts) > depth else ROOT_FILES


def check() -> list[Figure]:
    """Time the template's own `make check`."""
    return [Figure("make check", timed(lambda: run(["make", "check"], TEMPLATE)), "s", 120)]


def loop() -> list[Figure]:
    """Play the demo, then measure in its project: a restored base against a trained one, and a run with nothing to do."""
    times: dict[str, float] = {}
    whole = timed(lambda: times.update(demo.play()))
    demo.down()
    project, env = PROJECT, Play(LOG).env
    run(["git", "switch", "--quiet", "main"], project, env)
    forced = timed(lambda: run(["dvc", "repro", "--force"], project, env))  # main as it is: the base of what follows
    story.WORSE.apply(project)
    run(["dvc", "repro"], project, env)
    restored = median(lambda: run(["python", "-c", RESTORE], project, env))
    floor = median(lambda: run(["dvc", "--version"], project, env))
    nothing = median(lambda: run(["dvc", "repro", "--all-pipelines"], project, env))  # as `make train` does
    return [
        Figure("make demo", whole, "s", 240, 120),
        *(Figure(f"  part ({part})", seconds, "s") for part, seconds in times.items()),
        Figure("restored base, worktree and checks included", restored, "s", 3, 2),
        Figure("  training it instead, all stages", forced, "s"),
        Figure("dvc repro of all pipelines with nothing to do, against dvc --version", nothing / floor, "x", 6, 4.5),
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
