"""A generated project in a git repository of its own: real git, real DVC, real training."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.projects import small_project

WEATHER = '"temp", "humid", "precip", "pressure", "visib"'


class Repository:
    """A generated project with few rows in git, and what a person types in it."""

    def __init__(self, root: Path, tools: Path) -> None:
        self.root, self.tools = root, tools
        self.said = ""

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def use_weather(self) -> None:
        self.edit("src/model/features.py", '"plane_age", "seats")', f'"plane_age", "seats", {WEATHER})')
        self.edit(
            "src/model/features.py", "    return {\n", f"    return {{\n        **{{n: raw[n] for n in ({WEATHER})}},\n"
        )

    def compare(self, *options: str, expected: int = 0) -> dict[str, Any]:
        """Run `model compare` and give report.json."""
        self.model("compare", *options, expected=expected)
        return self.report()

    def report(self) -> dict[str, Any]:
        """Give report.json, empty where there is none."""
        path = self.root / "report/report.json"
        return dict(json.loads(path.read_text())) if path.is_file() else {}

    def model(self, *arguments: str, expected: int = 0) -> None:
        """Run the command; `said` is what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "mergeline.cli", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(self.root / "src"),
            },
        )
        self.said = done.stdout + done.stderr
        assert done.returncode == expected, self.said


def trained(folder: Path) -> Repository:
    """Give a repository whose main is trained, with its dvc.lock committed."""
    (folder / "bin").mkdir()
    (folder / "bin/model").write_text(f"#!{sys.executable}\nfrom mergeline.cli import main\n\nmain()\n")
    (folder / "bin/model").chmod(0o755)
    project = Repository(small_project(folder), folder / "bin")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.git("config", "user.name", "Ada")
    project.git("config", "user.email", "ada@example.org")
    project.commit("Start")
    project.compare("--base", "none")
    project.commit("Release the first model")
    return project


def copy(of: Repository, folder: Path) -> Repository:
    """Give a copy to work in, below `folder`."""
    return Repository(Path(shutil.copytree(of.root, folder / "project", symlinks=True)), of.tools)
