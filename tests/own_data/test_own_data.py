"""A newcomer follows the README's section *Your own data*, word for word, with rows that scikit-learn bundles."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_breast_cancer, load_diabetes

from tools.bake import bake

pytestmark = pytest.mark.slow

WORDS = {"better", "worse", "same", "cannot tell"}
# The README tells of tumours; the second task tells the same story in other words.
OF_PATIENTS = {
    "tumours": "patients",
    "tumour": "patient",
    "radius": "bmi",
    "texture": "pressure",
    "smoothness": "sugar",
    "malignant: bool": "progression: float",
    "malignant": "progression",
    "stratified": "random",
}
# What `make` does beside its environment, which tests/bake/test_green.py sets up and types for real.
MAKE = """\
#!/bin/sh
set -e
case "$1" in
  check) python -m pytest --quiet -p no:cacheprovider tests/code && python -m mergeline.guard data && ruff check src/model && ruff format --check src/model ;;
  train) dvc repro ;;
  compare) dvc repro && model compare --base main ;;
esac
"""
EDITOR = """\
import sys
from pathlib import Path

path = Path(sys.argv[1])
before = path.read_text()
after = before.replace('"{old}")', '"{old}", "{new}")')
assert after != before
path.write_text(after)
"""


def tumours() -> pd.DataFrame:
    found = load_breast_cancer(as_frame=True).frame
    return pd.DataFrame(
        {
            "id": [f"t{i:04}" for i in range(len(found))],
            "radius": found["mean radius"],
            "texture": found["mean texture"],
            "smoothness": found["mean smoothness"],
            "unused": found["mean area"],
            "malignant": found["target"].map({0: "true", 1: "false"}),
        }
    )


def patients() -> pd.DataFrame:
    found = load_diabetes(as_frame=True, scaled=False).frame
    return pd.DataFrame(
        {
            "id": [f"p{i:04}" for i in range(len(found))],
            "bmi": found["bmi"],
            "pressure": found["bp"],
            "sugar": found["s5"],
            "progression": found["target"],
        }
    )


@dataclass(frozen=True)
class Newcomer:
    """A person with a generated project, a file at home, and a shell."""

    root: Path
    home: Path
    words: dict[str, str]

    def blocks(self, language: str) -> list[str]:
        """Give the code blocks of the section, in this person's words."""
        readme = (self.root / "README.md").read_text()
        section = readme.partition("## Your own data\n")[2].partition("\n## ")[0]
        found = re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)
        for old, new in self.words.items():
            found = [block.replace(old, new) for block in found]
        return found

    def write_settings_and_code(self) -> None:
        """Do what the YAML and Python blocks show."""
        (shown,) = self.blocks("yaml")
        settings = yaml.safe_load((self.root / "params.yaml").read_text()) | yaml.safe_load(shown)
        (self.root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        for block in self.blocks("python"):
            place, _, code = block.partition("\n")
            (self.root / place.removeprefix("# ")).write_text(f'"""Ours."""\n\n{code}')

    def type(self, script: str, expected: int = 0) -> str:
        """Run lines in a shell that stops at the first failure."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "HOME": str(self.home),
                "PATH": os.pathsep.join([str(self.home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PYTHONPATH": str(self.root / "src"),
                "EDITOR": f"python {self.home / 'editor.py'}",
            },
        )
        assert done.returncode == expected, (done.stdout + done.stderr)[-4000:]
        return done.stdout + done.stderr


MakeNewcomer = Callable[[str], Newcomer]


@pytest.fixture
def newcomer(tmp_path: Path) -> MakeNewcomer:
    def make(task: str) -> Newcomer:
        classify = task == "classification"
        home = tmp_path / "home"
        (home / "bin").mkdir(parents=True)
        for name, content in {
            "model": f"#!{sys.executable}\nfrom mergeline.cli import main\n\nmain()\n",
            "make": MAKE,
        }.items():
            (home / "bin" / name).write_text(content)
            (home / "bin" / name).chmod(0o755)
        words = ("texture", "smoothness") if classify else ("pressure", "sugar")
        (home / "editor.py").write_text(EDITOR.format(old=words[0], new=words[1]))
        rows = tumours() if classify else patients()
        rows.to_csv(home / ("tumours.csv" if classify else "patients.csv"), index=False)
        made = Newcomer(bake(tmp_path, {"task": task}), home, {} if classify else OF_PATIENTS)
        made.type("git init --quiet --initial-branch main && git add . && git commit --quiet --message Generate")
        return made

    return make


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_ten_lines_lead_from_a_file_to_a_verdict(newcomer: MakeNewcomer, task: str) -> None:
    person = newcomer(task)
    person.write_settings_and_code()
    (lines,) = person.blocks("bash")
    assert len(lines.splitlines()) == 10

    person.type(lines)

    report: dict[str, Any] = json.loads((person.root / "report/report.json").read_text())
    signature = json.loads((person.root / "bundle/signature.json").read_text())
    assert report["word"] in WORDS
    assert report["base"]["bundle"] != report["candidate"]["bundle"]
    assert signature["numeric"][-1] == ("smoothness" if task == "classification" else "sugar")
    assert person.type("git status --porcelain").strip() in ("", "?? dvc.lock")


def test_a_file_in_dvc_without_a_remote_is_refused_in_one_line_and_taken_with_one(newcomer: MakeNewcomer) -> None:
    person = newcomer("classification")
    person.write_settings_and_code()
    person.type("cp ~/tumours.csv data/files/ && dvc add --quiet data/files/tumours.csv && git add data")

    said = person.type("python -m mergeline.guard data", expected=8)
    assert len(said.splitlines()) == 1
    assert "data/files/tumours.csv.dvc" in said
    assert "dvc remote add --default" in said

    person.type(
        f"dvc remote add --quiet --default storage {person.home / 'storage'} && dvc push --quiet && git add .dvc"
    )
    person.type("python -m mergeline.guard data")
    assert any((person.home / "storage").rglob("*"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.replace("malignant", "benign", 1), "malignant"),
        (lambda text: text.replace("true", "maybe", 1), "malignant"),
        (lambda text: text[: len(text) // 2], "fields"),
        (lambda _: "", "empty"),
    ],
    ids=["a renamed column", "a wrong type", "half a file", "an empty file"],
)
def test_a_file_that_is_not_as_described_is_refused_with_the_code_of_data(
    newcomer: MakeNewcomer, spoil: Callable[[str], str], says: str
) -> None:
    person = newcomer("classification")
    person.write_settings_and_code()
    (person.root / "data/files/tumours.csv").write_text(spoil((person.home / "tumours.csv").read_text()))

    said = person.type("model ingest || exit $?; model validate", expected=5)

    assert says in said
    assert "Traceback" not in said
