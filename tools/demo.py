"""`make demo`: a model project is born, judged, released, promoted and rolled back, on this machine and for real.

Every step is a command that a person can type in the generated project; what it printed is in `demo.log`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table

from tools import story
from tools.bake import bake
from tools.caller import Caller
from tools.need import find

HERE = Path(__file__).resolve().parents[1]
HOME = HERE / "build" / "demo"
PROJECT = HOME / "flight-delays"
LOG = HOME / "demo.log"
PORTS = {"staging": 8101, "production": 8102}

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


class Failed(SystemExit):
    """A step did not end as the story says; the message shows its last lines."""


class Play:
    """Runs the story's commands in the project, shows each with its time, keeps what they print."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.times: dict[str, float] = {}
        self.part = ""
        self.env = {
            **os.environ,
            "PATH": f"{PROJECT / '.venv' / 'bin'}:{HERE / '.cache' / 'bin'}:{os.environ['PATH']}",
            "MERGELINE_STATE": str(HOME / "state"),
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.test",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.test",
        }
        for name in (
            "VIRTUAL_ENV",
            "PYTHONDONTWRITEBYTECODE",
            "GITHUB_TOKEN",
            "GITHUB_REPOSITORY",
            "GITHUB_STEP_SUMMARY",
            "MLFLOW_TRACKING_URI",
        ):
            self.env.pop(name, None)

    def chapter(self, letter: str, text: str) -> None:
        """Begin a part of the story."""
        self.part = letter
        console.print(f"\n[bold]({letter})[/] {text}")

    def do(self, *command: str, expect: int = 0, note: str = "") -> str:
        """Run one command in the project and give what it wrote; a wrong exit code ends the demo."""
        words = " ".join(command)
        start = time.monotonic()
        with console.status(words):
            done = subprocess.run(
                command,
                cwd=PROJECT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        seconds = time.monotonic() - start
        self.times[self.part] = self.times.get(self.part, 0.0) + seconds
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {words}\n{done.stdout}{done.stderr}[exit {done.returncode}, {seconds:.1f} s]\n\n")
        if done.returncode != expect:
            console.print(f"  [red]✗[/] {words}  (exit code {done.returncode}, expected {expect})")
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            console.print(tail, markup=False)
            raise Failed(f"The demo stopped. Everything that was printed: {self.log}")
        console.print(f"  [green]✓[/] {words}  [dim]{seconds:.1f} s{'  ' + note if note else ''}[/]")
        return done.stdout

    def release(self, *, production: bool) -> None:
        """Do what a merge does: the reviewed model becomes a release and goes to staging (and production)."""
        self.do("model", "release", "build")
        self.do("model", "release", "publish")
        self.do("model", "deploy", "staging")
        if production:
            self.do("model", "promote", "production")
            self.do("model", "deploy", "production")

    def pull_request(self, branch: str, change: story.Change, *, expect: int = 0) -> None:
        """Do what a pull request does: train the change, judge it against main, show the comment's first lines."""
        self.do("git", "switch", "--quiet", "--create", branch, "main")
        change.apply(PROJECT)
        self.do("git", "commit", "--quiet", "--message", change.title, "--", *{path for path, *_ in change.edits})
        self.do("make", "train", note=change.title)
        self.do(
            "model", "compare", "--base", "main", expect=expect, note="exit code 3: a gate failed" if expect else ""
        )
        comment = (PROJECT / "report" / "report.md").read_text(encoding="utf-8")
        (HOME / f"{branch}.md").write_text(comment, encoding="utf-8")
        seen = Panel(Markdown(first_lines(comment)), title=f"the comment on “{change.title}”", title_align="left")
        console.print(seen, soft_wrap=False)

    def merge(self, branch: str) -> None:
        """Merge as the forge's button does."""
        self.do("git", "switch", "--quiet", "main")
        self.do("git", "merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)


def first_lines(comment: str) -> str:
    """Give the comment down to the end of its first table: what a reader sees without scrolling."""
    lines = [line for line in comment.splitlines() if not line.startswith("<!--")]
    tables = [i for i, line in enumerate(lines) if line.startswith("|")]
    last = next((i for i in tables if i + 1 not in tables), len(lines) - 1)
    return "\n".join(lines[: last + 1])


def play() -> dict[str, float]:
    """Tell the whole story, (a) to (e); give the seconds that each part took."""
    started = time.monotonic()
    down()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    acting = Play(LOG)
    find("terraform")

    acting.chapter("a", "A project is born, main is trained, and its first release runs in staging and production.")
    bake(HOME, {"project": "flight-delays", "owner": "ada"})
    acting.do("git", "init", "--quiet", "--initial-branch", "main")
    acting.do("git", "add", "--all")
    acting.do("git", "commit", "--quiet", "--message", "Generate from the template")
    acting.do("make", "setup")
    acting.do("make", "train")
    acting.release(production=True)
    first = running()

    acting.chapter("b", "A pull request adds the weather to the features: trained to May, judged on June.")
    with Caller(PORTS["production"]) as caller:
        acting.pull_request("weather", story.WEATHER)
        acting.merge("weather")
        acting.do("make", "train", note="nothing runs again: the reviewed model is the release")
        acting.release(production=True)
        second = running()

        acting.chapter("c", "A pull request makes the model worse: the gate stops it.")
        acting.pull_request("worse", story.WORSE, expect=3)

        acting.chapter("d", "A month of new data is a pull request like any other.")
        acting.pull_request("july", story.JULY)
        acting.merge("july")
        acting.do("make", "train", note="nothing runs again")
        acting.release(production=False)

        acting.chapter("e", "Production is rolled back by a commit, while it answers.")
        acting.do("model", "rollback", "production", "--reason", "The demo shows how.")
        acting.do("model", "deploy", "production")
        third = running()
    check(first, second, third, caller)
    ending(acting, caller, time.monotonic() - started)
    return acting.times


def running() -> str:
    """Give the release id that production answers."""
    return Caller(PORTS["production"]).version()


def check(first: str, second: str, third: str, caller: Caller) -> None:
    """Stop with a sentence when what was served is not what the story says."""
    if second == first or third != first:
        raise Failed(
            f"Production answered {first[:12]}, {second[:12]}, {third[:12]}: the last should be the first again."
        )
    if caller.failed:
        raise Failed(f"{caller.failed} of {caller.answered + caller.failed} requests failed: {caller.last_error}")


def ending(acting: Play, caller: Caller, seconds: float) -> None:
    """Show what runs where and what to try next."""
    console.print()
    console.print(acting.do("model", "status"), markup=False)
    times = Table(title="Wall time", title_justify="left", show_header=False)
    for part, spent in acting.times.items():
        times.add_row(f"({part})", f"{spent:.0f} s")
    times.add_row("all", f"{seconds:.0f} s")
    console.print(times)
    console.print(
        f"{caller.answered} requests to production while releases moved, {caller.failed} failed.\n"
        f"The HTML report of the last pull request: {PROJECT / 'report' / 'report.html'}\n\n"
        "Try next:\n"
        f"  cd {PROJECT}\n"
        f"  export PATH=$PWD/.venv/bin:$PATH MERGELINE_STATE={HOME / 'state'}\n"
        "  make                    the verbs of the project\n"
        "  model ledger            who moved which pin when, and why\n"
        "  curl localhost:8102/version\n"
        f"and `make demo-down` in {HERE} stops everything.",
        markup=False,
    )


def down() -> None:
    """Destroy every environment that an earlier demo left running."""
    if not (PROJECT / ".venv" / "bin" / "model").exists():
        return
    acting = Play(LOG)
    for environment in PORTS:
        acting.do("model", "deploy", environment, "--destroy")


def main(arguments: Sequence[str]) -> None:
    """Play the story, or stop what it left running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["play", "down"])
    {"play": play, "down": down}[parser.parse_args(arguments).what]()


if __name__ == "__main__":
    main(sys.argv[1:])
