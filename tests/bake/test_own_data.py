"""A newcomer's own CSV: what the generated README says, done to the letter with rows that scikit-learn bundles."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer

from tools.bake import TEMPLATE, bake

README = (TEMPLATE / "<<cookiecutter.project>>" / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## Your own data\n")[1].split("\n## ")[0]
PAGES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", SECTION, re.DOTALL))
SETTINGS = {
    "source: example": "source: files",
    'as_of: "2013-07-01"': "as_of: null",
    "by: time": "by: stratified",
    "{ group: date": "{ group: null",
}


class Shell:
    """A terminal in a project, with the locked programs and this project's own `model`."""

    def __init__(self, project: Path, tools: Path) -> None:
        self.project = project
        tools.mkdir()
        (tools / "model").write_text(f"#!{sys.executable}\nfrom mergeline.cli import main\n\nmain()\n")
        (tools / "model").chmod(0o755)
        path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.env = {**os.environ, "PATH": path, "PYTHONPATH": str(project / "src"), "DVC_NO_ANALYTICS": "1"}

    def type(self, line: str) -> str:
        """Run a line and give what it printed."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.project, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A project as it was generated, in git."""
    shell = Shell(bake(tmp_path), tmp_path / "bin")
    shell.type("git init --quiet --initial-branch main && git add --all && git commit --quiet --message Generate")
    return shell


def write_rows(to: Path) -> None:
    """Write the CSV of the README's example."""
    data = load_breast_cancer()
    columns = {name.removeprefix("mean "): data.data[:, i] for i, name in enumerate(data.feature_names)}
    pl.DataFrame(
        {
            "sample": [f"s{i}" for i in range(len(data.target))],
            **{name: columns[name] for name in ("radius", "texture", "smoothness")},
            "malignant": data.target == 0,
        }
    ).write_csv(to)


def edit(path: Path, changes: dict[str, str]) -> None:
    """Replace each text, which must be there once."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"{path.name} holds {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def follow_the_readme(shell: Shell) -> None:
    """Do the lines that make the first commit."""
    write_rows(shell.project / "data" / "files" / "tumours.csv")
    edit(shell.project / "params.yaml", SETTINGS)
    for name, page in PAGES.items():
        (shell.project / name).write_text(f'"""Mine."""\n\n{page}', encoding="utf-8")
    [removal] = re.findall(r"^git rm [^#\n]*", SECTION, re.MULTILINE)
    shell.type(removal)


@pytest.mark.slow
def test_the_readme_takes_a_csv_to_a_verdict(shell: Shell) -> None:
    follow_the_readme(shell)
    shell.type("ruff check . && ruff format --check . && pytest tests/code")
    shell.type("dvc repro && pytest")
    shell.type("git add --all -- ':!dvc.lock' && git commit --quiet --message 'Predict tumours'")

    shell.type("git switch --quiet --create smoothness")
    edit(shell.project / "src/model/features.py", {'("radius", "texture")': '("radius", "texture", "smoothness")'})
    shell.type("git commit --quiet --all --message 'Look at the smoothness' && dvc repro && model compare")

    report = json.loads((shell.project / "report" / "report.json").read_text())
    assert report["word"] == "better", "the smoothness tells much of tumours"
    assert report["base"]["bundle"] != report["candidate"]["bundle"]
    assert "rows were judged as if independent" in (shell.project / "report" / "report.md").read_text()


def test_data_beside_git_is_fetched_before_training(shell: Shell, tmp_path: Path) -> None:
    (shell.project / "dvc.yaml").write_text(
        "stages: {copy: {cmd: cp data/files/rows.csv out.csv, deps: [data/files/rows.csv], outs: [out.csv]}}\n"
    )
    (shell.project / "data" / "files" / "rows.csv").write_text("id,value\na,1\n")
    shell.type(f"dvc add --quiet data/files/rows.csv && dvc remote add --quiet --default storage '{tmp_path}/storage'")
    shell.type("dvc push --quiet && git add --all && git commit --quiet --message 'Add rows'")
    clone = Shell(tmp_path / "clone", tmp_path / "clone-bin")
    subprocess.run(["git", "clone", "--quiet", shell.project, clone.project], check=True)
    (tmp_path / "clone-bin" / "model").write_text("#!/bin/sh\n")

    clone.type("make train READY=")

    assert (clone.project / "out.csv").read_text() == "id,value\na,1\n"
