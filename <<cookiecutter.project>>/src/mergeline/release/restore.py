"""Put a known state's dvc.lock, results and model in place without training.

What a pull request's run hands over is its lock and the objects that the lock names. Restoring puts them in place
and lets DVC compare every input: when nothing has to run, the model here is the very one that was reviewed.
"""

import shutil
import tarfile
import tempfile
from pathlib import Path

from .. import bundle, forge, objects, repo, store
from ..errors import Integrity, RepositoryTrouble, Usage
from ..forge import event
from . import ledger, pins
from .handover import ARTIFACT, BESIDE, HANDOVER, dvc_hash, keep
from .manifest import Release

__all__ = ["keep", "run"]

WORKFLOW, JOB = ".github/workflows/train.yml", "verdict-pass"


def run(
    root: Path, *, base: bool, pr: int | None, merged: bool, release: str | None, folder: Path | None = None
) -> str:
    """Restore one state; say where it is from and whether a stage has to run.

    Args:
        root: the project's folder.
        base: what the lock on main names.
        pr: what this pull request's training run handed over.
        merged: the same for the pull request whose merge made HEAD; nothing happens where there is none.
        release: what this release was made of, by the start of its id.
        folder: what `model keep` packed.

    Raises:
        Usage: not exactly one state is named.
        RepositoryTrouble: it is not here and nobody handed it over.
        Integrity: an object is not what its name says.
    """
    if [base, pr is not None, merged, release is not None, folder is not None].count(True) != 1:
        raise Usage("name one state", "Use one of --base, --pr N, --merged, --release ID, --from FOLDER.")
    if folder is not None:
        return _handed_over(root, folder, f"what {folder} holds")
    if release is not None:
        return _release(root, release)
    if base:
        return _base(root)
    connected = forge.connect(root)
    if connected is None:
        if merged:
            return _tell(False, "No forge is connected, so nothing was handed over.")
        raise Usage(f"pull request {pr} cannot be asked for: no forge is connected", "Set GITHUB_TOKEN.")
    request = connected.pull_request(pr) if pr is not None else connected.pull_request_of(repo.head(root))
    if request is None:
        return _tell(False, "HEAD merges no pull request: nothing was handed over.")
    if request.fork:
        if merged:
            return _tell(False, f"Pull request #{request.number} is from a fork, whose results are never used.")
        raise Usage(f"pull request #{request.number} is from a fork, whose results are never used", "Train it here.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / ARTIFACT
        if not connected.artifact(WORKFLOW, JOB, request.head, request.repository, ARTIFACT, folder):
            if merged:
                return _tell(False, f"No successful training of #{request.number} is kept: nothing was handed over.")
            raise RepositoryTrouble(
                f"no successful training run of pull request #{request.number} is kept", "Let it run again."
            )
        return _handed_over(root, folder, f"pull request #{request.number}")


def _handed_over(root: Path, folder: Path, source: str) -> str:
    for name in BESIDE:  # an older report here would be taken for the reviewed one
        if (root / name).is_dir():
            shutil.rmtree(root / name)
        (root / name).unlink(missing_ok=True)
    objects.unpack(root, folder)
    # Only asked, not run: a stage whose input moved may read rows, which no training hands over.
    try:
        moved = ", ".join(objects.repro(root, allow_missing=True, dry=True))
    except RepositoryTrouble:  # as DVC says of such a stage; whatever else it is, the training says in full
        moved = "a stage that reads rows"
    if moved:
        return _tell(False, f"Restored {source}, but inputs of {moved} moved since. Train and judge the model again.")
    for name in BESIDE:
        if (folder / name).is_dir():
            shutil.copytree(folder / name, root / name)
        elif (folder / name).is_file():
            shutil.copyfile(folder / name, root / name)
    found = bundle.identify(root / "bundle")
    return _tell(True, f"Restored {source}: nothing ran, bundle {found[:12]} is the one that was reviewed.")


def _base(root: Path) -> str:
    main = next((rev for rev in ("origin/HEAD", "origin/main", "main") if repo.knows(root, rev)), "HEAD")
    commit = repo.merge_base(root, main)
    lock = repo.show(root, commit, objects.LOCK)
    if lock is None:
        raise RepositoryTrouble(f"{commit[:12]} has no {objects.LOCK}", "The first release writes it; run `dvc repro`.")
    release = _release_of(root)
    _put(root, lock, release)
    return f"Restored the base {commit[:12]}: its lock, results and model are in place."


def _release(root: Path, start: str) -> str:
    known = ledger.releases(root)
    if (built := pins.built(root)) is not None:
        known[built.id] = built
    release = pins.find(known, start)
    folder = store.fetch(release.model.bundle_id, root, release.id)
    wanted = dvc_hash(folder)
    for move in (m for name in pins.environments(root) for m in ledger.moves(root, name) if m.release == release.id):
        lock = repo.show(root, move.commit, objects.LOCK)
        if lock is not None and wanted.encode() in lock:
            _put(root, lock, release)
            return f"Restored release {release.id[:12]}: its lock, results and model are in place."
    if _from_forge(root, release):
        return f"Restored release {release.id[:12]} from the forge: its lock, results and model are in place."
    raise RepositoryTrouble(
        f"no commit that pinned release {release.id[:12]} holds its {objects.LOCK}, and no release of the forge does",
        "Its bundle is in the store: `model serve --bundle` can serve it.",
    )


def _put(root: Path, lock: bytes, release: Release | None) -> None:
    """Put a lock and its outputs in place: from the cache, the remote, or the forge's release.

    Raises:
        RepositoryTrouble: none of them has it.
        Integrity: neither, and the cache's objects were damaged.
    """
    before = (root / objects.LOCK).read_bytes() if (root / objects.LOCK).is_file() else None
    (root / objects.LOCK).write_bytes(lock)
    try:
        missing = {path: bad for path, bad in objects.place(root).items() if not path.startswith(objects.RAW)}
        damaged = any(missing.values())
        if missing and store.pull(root, list(missing)):
            missing = objects.place(root, list(missing))
        if missing and not (release is not None and _from_forge(root, release)):
            raise (Integrity if damaged else RepositoryTrouble)(
                f"{', '.join(missing)}: neither the cache{', where it was damaged,' if damaged else ''} nor a remote nor "
                "a release of the forge has it",
                "Run `dvc repro` at that commit.",
            )
    except BaseException:
        if before is None:
            (root / objects.LOCK).unlink()
        else:
            (root / objects.LOCK).write_bytes(before)
        raise


def _from_forge(root: Path, release: Release) -> bool:
    connected = forge.connect(root)
    if connected is None:
        return False
    with tempfile.TemporaryDirectory() as temporary:
        at = Path(temporary) / HANDOVER
        if not connected.release_asset(release.id, HANDOVER, at):
            return False
        with tarfile.open(at) as tar:
            tar.extractall(Path(temporary) / ARTIFACT, filter="data")
        objects.unpack(root, Path(temporary) / ARTIFACT)
    if (found := bundle.identify(root / "bundle")) != release.model.bundle_id:
        raise Integrity(f"the forge's release {release.id[:12]} holds bundle {found[:12]}")
    return True


def _release_of(root: Path) -> Release | None:
    """Give the release that the first environments run: main's lock is that of the last release."""
    for name in pins.environments(root):
        found = ledger.releases(root, name)
        if found:
            return max(found.values(), key=lambda release: release.created)
    return None


def _tell(reviewed: bool, words: str) -> str:
    """Also tell the workflow: `reviewed` is true when the model here is the one that was reviewed."""
    event.tell(reviewed="true" if reviewed else "false")
    return words
