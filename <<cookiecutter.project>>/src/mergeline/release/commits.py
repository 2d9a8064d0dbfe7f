"""Commits that move a pin, made beside the index and the working copy.

A commit becomes visible in one step (`git update-ref` with the expected old value), so whoever interrupts it leaves
the old pin or the new one. The lock file keeps which file is being moved: the next command puts the working copy in
line with git.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import files, objects, processes, repo
from ..errors import Conflict, RepositoryTrouble


class moving:  # noqa: N801 - reads as what happens: with moving(root)
    """Hold the repository's lock; mend first what an interrupted command left. Raises Conflict when it is held."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folder = Path(repo.git(root, "rev-parse", "--path-format=absolute", "--git-common-dir"))
        self.held = processes.locked(folder / "mergeline.lock", "a promotion or rollback")

    def __enter__(self) -> int:
        lock = self.held.__enter__()
        try:
            interrupted = os.pread(lock, 4096, 0).decode()
            if interrupted and (content := repo.show(self.root, "HEAD", interrupted)) is not None:
                files.write(self.root / interrupted, content)
                repo.git(self.root, "reset", "--quiet", "HEAD", "--", interrupted, *_in_head(self.root, objects.LOCK))
            os.ftruncate(lock, 0)
        except BaseException:
            self.held.__exit__(None, None, None)
            raise
        return lock

    def __exit__(self, *_: object) -> None:
        self.held.__exit__(None, None, None)


def _in_head(root: Path, name: str) -> list[str]:
    return [name] if repo.show(root, "HEAD", name) is not None else []


def make(root: Path, parent: str, changes: Mapping[str, bytes], message: str) -> str:
    """Make a commit of `parent` with some files replaced, touching neither index nor working copy."""
    prefix = repo.git(root, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory() as temporary:
        env = {"GIT_INDEX_FILE": f"{temporary}/index"}
        repo.git(root, "read-tree", parent, env=env)
        blob, words = Path(temporary) / "blob", Path(temporary) / "message"
        for at, content in changes.items():
            blob.write_bytes(content)
            object_id = repo.git(root, "hash-object", "-w", "--no-filters", blob)
            repo.git(root, "update-index", "--add", "--cacheinfo", f"100644,{object_id},{prefix}{at}", env=env)
        tree = repo.git(root, "write-tree", env=env)
        words.write_text(message, encoding="utf-8")
        return repo.git(root, "commit-tree", tree, "-p", parent, "-F", words)


def advance(root: Path, lock: int, head: str, new: str, title: str, changes: Mapping[str, bytes], pin: str) -> None:
    """Move the branch that is checked out from `head` to the commit `new`, then index and pin of the working copy.

    Args:
        root: the project's folder.
        lock: what `moving` gave.
        head: where the branch is now.
        new: a child of `head`.
        title: for the reflog.
        changes: the files that differ, by path.
        pin: which of them this command writes; the others are in the working copy already.

    Raises:
        Conflict: the branch is elsewhere by now; nothing was changed.
    """
    os.pwrite(lock, pin.encode(), 0)
    try:
        repo.git(root, "update-ref", "-m", title, "HEAD", new, head)
    except RepositoryTrouble as error:
        os.ftruncate(lock, 0)
        raise Conflict("another commit came in between; the pin is as it was", "Run the command again.") from error
    files.write(root / pin, changes[pin])
    repo.git(root, "reset", "--quiet", "HEAD", "--", *changes)
    os.ftruncate(lock, 0)
