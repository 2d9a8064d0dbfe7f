"""A newcomer at a terminal: types lines of the generated README in a project, and edits where a line says $EDITOR."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from sklearn.datasets import load_breast_cancer

from tools.bake import TEMPLATE

README = (TEMPLATE / "<<cookiecutter.project>>" / "README.md").read_text(encoding="utf-8")
COMMAND = "import sys; sys.argv[0] = 'model'; from mergeline.cli import main; main()"
EDITOR = """#!/bin/sh
# Puts the next prepared content of each file in its place.
for file; do mv "$(ls "$EDITS/$file".* | sort | head -n 1)" "$file" || exit 1; done
"""


def section(title: str) -> str:
    """Give what stands below a heading of the README."""
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def lines(text: str) -> list[str]:
    """Give the lines of the first block of commands, without their comments."""
    block = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)[0]
    return [re.sub(r"\s+#.*", "", line) for line in block.splitlines() if line.strip()]


def inline(text: str) -> list[str]:
    """Give the code within sentences."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


OWN_DATA = section("Your own data")
PAGES: dict[str, str] = {
    name: f'"""Mine."""\n\n{page}' for name, page in re.findall(r"```python\n# (\S+)\n(.*?)```", OWN_DATA, re.DOTALL)
}
GENERATED = next(line for line in lines(README) if line.startswith("git init"))
SETTINGS = {
    "source: example": "source: files",
    'as_of: "2013-07-01"': "as_of: null",
    "by: time": "by: stratified",
    "{ group: date": "{ group: null",
}


class Shell:
    """A terminal in a project whose .venv is active: its programs are the locked ones, its code is the project's own.

    `.venv/bin` holds one line per program, so that a test waits for no installation: `make setup` is test_green's.
    """

    def __init__(self, project: Path, home: Path) -> None:
        self.project, self.edits = project, home / "edits"
        home.mkdir()
        programs = project / ".venv" / "bin"
        programs.mkdir(parents=True)
        locked = Path(sys.executable).parent
        _program(programs / "model", project, f'{shlex.quote(sys.executable)} -c "{COMMAND}"')
        for name in (path.name for path in locked.iterdir() if os.access(path, os.X_OK)):
            _program(programs / name, project, shlex.quote(str(locked / name)))
        (project / ".venv" / ".ready-dev").touch()
        (home / "editor").write_text(EDITOR)
        (home / "editor").chmod(0o755)
        self.env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self.env |= {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "EDITOR": str(home / "editor"),
            "EDITS": str(self.edits),
        }

    def type(self, line: str) -> str:
        """Run a line and give what it printed."""
        code, said = self.try_(line)
        assert code == 0, f"{line}: {said[-4000:]}"
        return said

    def try_(self, line: str) -> tuple[int, str]:
        """Run a line that may fail; give its exit code and what it said."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.project, env=self.env, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def will_edit(self, name: str, *contents: str) -> None:
        """Prepare what $EDITOR makes of a file, the first time, the second, ..."""
        for number, content in enumerate(contents):
            path = self.edits / f"{name}.{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")

    def read(self, name: str) -> str:
        """Give a file's text."""
        return (self.project / name).read_text(encoding="utf-8")


def _program(at: Path, project: Path, command: str) -> None:
    """Write a program that finds the project's code, unless whoever calls it names another checkout's."""
    code = shlex.quote(str(project / "src"))
    at.write_text(f'#!/bin/sh\n: "${{PYTHONPATH:={code}}}"\nexport PYTHONPATH\nexec {command} "$@"\n')
    at.chmod(0o755)


def clone(source: str | Path, to: Path) -> Shell:
    """Clone a project, and open a terminal in it."""
    subprocess.run(["git", "clone", "--quiet", source, to], check=True)
    return Shell(to, to.with_name(f"{to.name}-home"))


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Replace each text, which must be there once."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def tumours(to: Path) -> None:
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


def describe(shell: Shell, pages: Mapping[str, str] = PAGES, settings: Mapping[str, str] = SETTINGS) -> None:
    """Make the project that of its own rows: settings, schema, features, and no tests of flights."""
    for name, content in pages.items():
        (shell.project / name).write_text(content, encoding="utf-8")
    params = shell.project / "params.yaml"
    params.write_text(changed(params.read_text(encoding="utf-8"), settings), encoding="utf-8")
    shell.type(next(line for line in lines(OWN_DATA) if line.startswith("git rm")))
