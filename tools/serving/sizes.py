"""What each side installs: packages in a fresh environment, measured in the bytes of its site-packages."""

import subprocess
from pathlib import Path

from tools.serving.contenders import Stopped


def installed(folder: Path, requirements: Path, *flags: str) -> float:
    """Install into a new environment at `folder`; give the MB of its packages. Raises Stopped."""
    install = ["uv", "pip", "install", "--quiet", "--python", str(folder), *flags, "--requirement", str(requirements)]
    for command in (["uv", "venv", "--quiet", "--clear", str(folder)], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Stopped(f"{requirements} cannot be installed: {' '.join(done.stderr.split())[:300]}")
    (packages,) = folder.glob("lib/python*/site-packages")
    return size(packages)


def size(folder: Path) -> float:
    """Give the MB of a folder's files."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
