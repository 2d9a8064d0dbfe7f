"""A person at work in the demo's project: runs the commands of a story, shows each, keeps what it printed."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel

from tools import story

HERE = Path(__file__).resolve().parents[1]
HOME = HERE / "build" / "demo"
PROJECT = HOME / "flight-delays"
LOG = HOME / "demo.log"
# The demo plays on this machine alone, wherever it is started: no forge, no tracking server, no other environment.
ELSEWHERE = ("GITHUB_", "RUNNER_", "GH_TOKEN", "CI", "MLFLOW_", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


class Failed(SystemExit):
    """A step did not end as the story says; the message shows its last lines."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What `model compare` found: report.json as data, and the comment made of it."""

    report: dict[str, Any]
    comment: str

    @property
    def verdict(self) -> str:
        """The word for the primary metric."""
        return str(self.report["word"])

    @property
    def failed(self) -> list[str]:
        """The gates that it did not pass."""
        return [str(gate["gate"]) for gate in self.report["gates"] if gate["state"] == "failed"]


class Play:
    """Runs the story's commands in the project, shows each with its time, keeps what they print."""

    def __init__(self, log: Path, target: str = "local") -> None:
        self.log = log
        self.target = target
        self.times: dict[str, float] = {}
        self.part = ""
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(ELSEWHERE)},
            "PATH": f"{PROJECT / '.venv' / 'bin'}:{HERE / '.cache' / 'bin'}:{os.environ['PATH']}",
            "MERGELINE_STATE": str(HOME / "state"),
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.test",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.test",
        }

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
        image = ["--image", self.image()] if self.target == "docker" else []
        self.do("model", "release", "build", *image)
        self.do("model", "release", "publish")
        self.do("model", "deploy", "staging")
        if production:
            self.do("model", "promote", "production")
            self.do("model", "deploy", "production")

    def image(self) -> str:
        """Build the image of the model and give its id."""
        self.do("make", "image")
        return self.do("docker", "image", "inspect", "--format", "{{.Id}}", PROJECT.name).strip()

    def pull_request(self, branch: str, change: story.Change, *, expect: int = 0, attribute: bool = False) -> Judged:
        """Do what a pull request does: train the change, judge it against main, show the comment's first lines.

        `attribute`: also train the crossed models, which say what data and what code did.
        """
        self.do("git", "switch", "--quiet", "--create", branch, "main")
        change.apply(PROJECT)
        self.do("git", "commit", "--quiet", "--message", change.title, "--", *{path for path, *_ in change.edits})
        self.do("make", "train", note=change.title)
        self.do(
            "model", "compare", "--base", "main", expect=expect, note="exit code 3: a gate failed" if expect else ""
        )
        if attribute:
            self.do("model", "attribute", "--base", "main", note="completes the comment")
        comment = (PROJECT / "report" / "report.md").read_text(encoding="utf-8")
        (HOME / f"{branch}.md").write_text(comment, encoding="utf-8")
        seen = Panel(Markdown(first_lines(comment)), title=f"the comment on “{change.title}”", title_align="left")
        console.print(seen, soft_wrap=False)
        return Judged(json.loads((PROJECT / "report" / "report.json").read_text(encoding="utf-8")), comment)

    def merge(self, branch: str) -> None:
        """Merge as the forge's button does."""
        self.do("git", "switch", "--quiet", "main")
        self.do("git", "merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)


def first_lines(comment: str) -> str:
    """Give what a reader sees before the first part that is folded away."""
    return comment.partition("<details>")[0].strip()
