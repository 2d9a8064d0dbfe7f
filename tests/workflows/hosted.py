"""A repository on the local forge, and what a person, or GitHub itself, does with it between two runs."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.local_forge.api import GitHubAPI
from tests.workflows.runner import Run, act

STAGING, PRODUCTION = (f"infra/environments/{name}/pin.json" for name in ("staging", "production"))
SLOWER = {"params.yaml": ("learning_rate: 0.1", "learning_rate: 0.09")}
SMOOTHER = {
    "src/model/estimator.py": ("early_stopping=False,", "early_stopping=False,\n        l2_regularization=1.0,")
}
APP: dict[str, Any] = {"variables": {"APP_ID": "7", "REGISTRY": "ghcr.io"}, "secrets": {"APP_PRIVATE_KEY": "app-key"}}


def git(cwd: Path, *arguments: str | Path) -> str:
    """Run git as Ada."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    done = subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def propose(
    api: GitHubAPI, clone: Path, branch: str, changes: dict[str, tuple[str, str]], fork: str | None = None
) -> int:
    """Push a branch of `clone` that replaces texts in files, open its pull request, check out GitHub's merge commit.

    A file whose old text is empty is a new one.
    """
    git(clone, "fetch", "--quiet", api.origin, "+refs/heads/*:refs/remotes/origin/*")
    git(clone, "switch", "--quiet", "--create", branch, "origin/main")
    for name, (old, new) in changes.items():
        content = (clone / name).read_text() if old else ""
        assert old in content, f"{name} has no {old!r}"
        write(clone, {name: content.replace(old, new) if old else new})
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", f"Change {branch}")
    head = git(clone, "rev-parse", "HEAD")
    # As a person, who has a token of her own; a fork's head is known to the repository under refs/pull.
    git(clone, "push", "--quiet", api.origin, f"HEAD:refs/{'pull/1/head' if fork else f'heads/{branch}'}")
    number = api.open(head if fork else branch, fork=fork)
    merge_commit(clone, head)
    return number


def merge_commit(clone: Path, head: str) -> None:
    """Check out what GitHub does for a pull request: its head, merged into main, on no branch."""
    git(clone, "switch", "--quiet", "--detach", "origin/main")
    git(clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head} into main", head)


@dataclass
class Hosted:
    """A repository on the forge, and its workflows' runs so far."""

    api: GitHubAPI
    clone: Path
    folder: Path
    cache: Path
    runs: int = 0

    def run(self, workflow: str, event: str, told: dict[str, Any], **more: Any) -> Run:
        """Run a workflow at what is checked out in the clone."""
        self.runs += 1
        return act(
            self.clone, workflow, event, told, self.api, self.folder / f"run-{self.runs}", cache=self.cache, **more
        )

    def fetch(self) -> None:
        """Check main out as it is on the forge."""
        git(self.clone, "fetch", "--quiet", str(self.api.origin), "+refs/heads/*:refs/remotes/origin/*")
        git(self.clone, "switch", "--quiet", "--force-create", "main", "origin/main")

    def push(self, before: str, workflow: str = "release.yml", **more: Any) -> Run:
        """Run a workflow for a push that made main what it is now."""
        self.fetch()
        told = {"ref": "refs/heads/main", "before": before, "after": self.api.commit("main"), "repository": {}}
        return self.run(workflow, "push", told, **more)

    def train(self, branch: str, changes: dict[str, tuple[str, str]]) -> tuple[int, str]:
        """Open a pull request and let it be trained; give its number and the bundle that was judged."""
        number = propose(self.api, self.clone, branch, changes)
        run = self.run("train.yml", "pull_request", self.api.event(number))
        assert run.jobs["train"] == "success", run.printed
        kept = run.artifacts / "training"
        self.api.upload(self.api.finish_run("train.yml", self.api.commit(branch)), "training", kept)
        return number, str(json.loads((kept / "report/report.json").read_text())["candidate"]["bundle"])

    def merge(self, number: int, workflow: str = "release.yml", **more: Any) -> Run:
        """Merge a pull request and run what the push to main starts."""
        before = self.api.commit("main")
        self.api.merge(number)
        return self.push(before, workflow, **more)

    def deployments(self) -> list[tuple[str, str, str]]:
        """Give what is told of deployments, oldest first: environment, state, commit."""
        told = [s for s in reversed(self.api.statuses) if s["context"].startswith("deploy")]
        return [(s["context"], s["state"], s["sha"]) for s in told]

    def pinned(self, pin: str, rev: str = "main") -> str | None:
        """Give the bundle that a pin names at a revision of the forge."""
        release = json.loads(self.api.git("show", f"{rev}:{pin}"))["release"]
        return str(release["model"]["bundle_id"]) if release else None
