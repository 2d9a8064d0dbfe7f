"""The Python environment that a base is trained in: its own, where its requirements differ from the candidate's."""

import fcntl
import hashlib
import os
import shutil
import sys
from pathlib import Path

from .. import repo
from ..errors import ToolMissing

LOCKED = "requirements/train.txt"
DONE = ".complete"


def python(root: Path, checkout: Path, version: str, *, base_version: str) -> str:
    """Give the interpreter for the base's checkout, made where needed and kept by the hash of its requirements.

    Args:
        root: the candidate's project, whose environment runs this.
        checkout: the base's.
        version: of Python, as the candidate's params.yaml says.
        base_version: as the base's says.

    Raises:
        ToolMissing: another environment is needed and uv is not there to make it.
        RepositoryTrouble: uv could not make it, with its reason.
    """
    if version == base_version and same(root, checkout):
        return sys.executable
    folder = home() / f"{digest(checkout / LOCKED)[:16]}-{base_version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two comparisons at once make it once
        if not (folder / DONE).is_file():
            _make(folder, checkout / LOCKED, base_version)
    return str(folder / "bin" / "python")


def same(root: Path, checkout: Path) -> bool:
    """Say whether both checkouts train with the same packages."""
    ours, theirs = root / LOCKED, checkout / LOCKED
    return not theirs.is_file() or (ours.is_file() and digest(ours) == digest(theirs))


def digest(path: Path) -> str:
    """Give the sha256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def home() -> Path:
    """Give the user's cache folder for these environments."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mergeline" / "environments"


def _make(folder: Path, locked: Path, version: str) -> None:
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        raise ToolMissing("the base was trained with other packages, and uv is not here to install them")
    shutil.rmtree(folder, ignore_errors=True)
    repo.run([uv, "venv", "--quiet", "--python", version, folder], locked.parent)
    inside = folder / "bin" / "python"
    repo.run([uv, "pip", "install", "--quiet", "--require-hashes", "--python", inside, "-r", locked], locked.parent)
    model = folder / "bin" / "model"
    model.write_text(f"#!{inside}\nfrom mergeline.cli import main\n\nmain()\n", encoding="utf-8")
    model.chmod(0o755)
    (folder / DONE).touch()
