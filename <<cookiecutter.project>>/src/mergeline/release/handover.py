"""What a training hands over to the release: dvc.lock, the objects that it names, and the report."""

import hashlib
import json
import shutil
import tarfile
import tempfile
from pathlib import Path

from .. import objects
from ..errors import Usage

ARTIFACT = "training"
HANDOVER = "handover.tar"
BESIDE = ("report", "results/mlflow.json")
"""What travels with the lock's objects: no stage writes it."""


def keep(root: Path, to: Path) -> str:
    """Pack what a release needs from this training into a new folder.

    Raises:
        Usage: the folder is there already and not empty.
        RepositoryTrouble: an object that dvc.lock names is not in the cache.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Usage(f"{to} is there already", "Remove it, or name another folder with --to.")
    packed = objects.pack(root, to)
    for name in BESIDE:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        elif source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, to / name)
    return f"Packed {len(packed)} outputs of dvc.lock into {to}, without raw rows."


def archive(root: Path, to: Path) -> Path:
    """Write what `keep` packs as one file into the folder `to`; equal content gives equal bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / ARTIFACT
        keep(root, folder)
        with tarfile.open(to / HANDOVER, "w") as tar:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(entry, file)
    return to / HANDOVER


def dvc_hash(folder: Path) -> str:
    """Give the name that DVC has for a folder of files: the md5 of the sorted list of their md5s and names."""
    listed = [
        {"md5": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest(), "relpath": file.name}
        for file in sorted(folder.iterdir())
    ]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"
