"""Generate a project from the template as git tracks it, so that caches and other litter stay out."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parents[1]


def bake(into: Path, answers: Mapping[str, str] | None = None) -> Path:
    """Generate below `into` and give the project's folder.

    Args:
        into: an existing folder.
        answers: to the questions of cookiecutter.json; the others take their first answer.

    Raises:
        cookiecutter.exceptions.FailedHookException: an answer was refused.
    """
    with tempfile.TemporaryDirectory(prefix="mergeline-template-") as folder:
        template = Path(folder) / "mergeline"
        copy_tracked(template)
        return Path(cookiecutter(str(template), no_input=True, extra_context=dict(answers or {}), output_dir=str(into)))


def copy_tracked(to: Path) -> None:
    """Copy the files that git tracks, as they are in the working tree, below `to`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, copy = TEMPLATE / name, to / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)
