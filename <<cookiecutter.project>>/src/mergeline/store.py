"""The content-addressed store of bundles, and the places that may have one that the store lacks."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import bundle, forge, repo
from .errors import Integrity, MergelineError, RepositoryTrouble
from .state import bundle_folder, project


def store(folder: Path, root: Path) -> str:
    """Copy a verified bundle into the store of the project at `root`, whole or not at all; give its id.

    Raises:
        Integrity: a file differs from bundle.json.
    """
    found = bundle.identify(folder)
    place = bundle_folder(project(root), found)
    if place.is_dir():
        try:
            bundle.identify(place)
            return found
        except Integrity:
            shutil.rmtree(place)  # a damaged copy is replaced by the verified one
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-") as temporary:
        copy = Path(temporary) / "bundle"
        copy.mkdir()
        for file in (bundle.INDEX, *bundle.FILES):
            shutil.copyfile(folder / file, copy / file)
        if bundle.identify(copy) != found:
            raise Integrity(f"{folder.name}/ changed while it was copied")
        try:
            copy.replace(place)
        except OSError:
            bundle.identify(place)  # another process stored the same bundle meanwhile
    return found


def fetch(bundle_id: str, root: Path, release_id: str | None = None) -> Path:
    """Give the verified folder of a bundle: from the store, the working copy, the DVC remote, the forge's release.

    Args:
        bundle_id: sha256 of its bundle.json.
        root: the project's folder.
        release_id: the tag of the forge's release that may hold it.

    Raises:
        Integrity: it is in none of these places, or only damaged.
    """
    place = bundle_folder(project(root), bundle_id)
    told = []
    try:
        if place.is_dir():
            return _expect(place, bundle_id)
    except Integrity as error:
        told.append(f"store: {error.args[0]}")
    with tempfile.TemporaryDirectory() as temporary:
        for source, get in (("working copy", _from_here), ("remote", _from_remote), ("forge", _from_forge)):
            copy = Path(temporary) / source.replace(" ", "-")
            copy.mkdir()
            try:
                if get(root, bundle_id, release_id, copy):
                    store(_expect(copy, bundle_id), root)
                    return place
            except MergelineError as error:
                told.append(f"{source}: {error.args[0]}")
    raise Integrity(
        f"bundle {bundle_id[:12]} is neither in the store nor in the remote nor in a release of the forge"
        + (f" ({'; '.join(told)})" if told else ""),
        "Restore it where it was made (`model restore --release ID`), or configure the DVC remote.",
    )


def push(folder: Path, root: Path, below: str) -> bool:
    """Copy a folder's files to a place below the DVC remote's; False when there is none. Raises RepositoryTrouble."""
    found = remote(root)
    if found is None:
        return False
    fs, base = found
    # bundle.json goes last: a half-copied bundle is never taken for a whole one.
    files = sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: (p.name == bundle.INDEX, p))
    try:
        for file in files:
            target = fs.join(base, *below.split("/"), *file.relative_to(folder).parts)
            fs.makedirs(fs.parent(target), exist_ok=True)
            fs.put_file(str(file), target)
    except Exception as error:
        raise RepositoryTrouble(f"the DVC remote did not take {below}: {error}") from error
    return True


def pull(root: Path, paths: Sequence[str]) -> bool:
    """Fetch outputs of dvc.lock into the cache; False when there is no remote. Raises RepositoryTrouble."""
    if remote(root) is None:
        return False
    repo.run([sys.executable, "-m", "dvc", "fetch", *paths], root, env=repo.environment(root))
    return True


def remote(root: Path) -> tuple[Any, str] | None:
    """Give file system and base path of the default DVC remote, or None when none is configured.

    Raises:
        RepositoryTrouble: DVC cannot use it: a plugin is not installed, or the configuration is off.
    """
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repository:
            if not repository.config["core"].get("remote"):
                return None
            odb = repository.cloud.get_remote_odb()
            return odb.fs, odb.path.removesuffix("/files/md5")
    except Exception as error:  # plugins and configuration have errors of their own
        raise RepositoryTrouble(
            f"the DVC remote cannot be used: {' '.join(str(error).split()):.200}",
            "Correct .dvc/config, or install what is missing into this environment.",
        ) from error


def _expect(folder: Path, bundle_id: str) -> Path:
    if (found := bundle.identify(folder)) != bundle_id:
        raise Integrity(f"holds bundle {found[:12]}, not {bundle_id[:12]}")
    return folder


def _from_here(root: Path, bundle_id: str, _: str | None, to: Path) -> bool:
    here = root / "bundle"
    if not (here / bundle.INDEX).is_file() or bundle.sha256(here / bundle.INDEX) != bundle_id:
        return False
    for file in (bundle.INDEX, *bundle.FILES):
        shutil.copyfile(here / file, to / file)
    return True


def _from_remote(root: Path, bundle_id: str, _: str | None, to: Path) -> bool:
    found = remote(root)
    if found is None:
        return False
    fs, base = found
    try:
        if not fs.exists(fs.join(base, "bundles", bundle_id, bundle.INDEX)):
            return False
        for file in (bundle.INDEX, *bundle.FILES):
            fs.get_file(fs.join(base, "bundles", bundle_id, file), str(to / file))
    except Exception as error:
        raise RepositoryTrouble(f"the DVC remote did not give the bundle: {error}") from error
    return True


def _from_forge(root: Path, _: str, release_id: str | None, to: Path) -> bool:
    connected = forge.connect(root) if release_id else None
    if connected is None or release_id is None:
        return False
    return all(connected.release_asset(release_id, file, to / file) for file in (bundle.INDEX, *bundle.FILES))
