"""checkov for the tests: installed once from its own lock, into an environment of its own."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from tools.need import HERE, Missing

LOCK = HERE / "requirements" / "checkov.txt"
CACHE = HERE / ".cache"


def find() -> Path:
    """Give the path of checkov. Raises Missing."""
    at = CACHE / f"checkov-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    program = at / "bin" / "checkov"
    if program.is_file():
        return program
    uv = shutil.which("uv")
    if uv is None:
        raise Missing("there is no uv to install checkov with")
    install = [uv, "pip", "install", "--quiet", "--python", str(at), "--require-hashes", "--requirement", str(LOCK)]
    for command in ([uv, "venv", "--quiet", "--clear", str(at)], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"checkov could not be installed: {' '.join(done.stderr.split())[:300]}")
    return program
