"""Locks: who holds one is found out without getting in the way of who takes it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline import processes
from mergeline.errors import Conflict


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Path]:
    """A lock file that four others look at all the time."""
    path = tmp_path / "lock"
    path.touch()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            processes.held(path)

    watchers = [threading.Thread(target=look) for _ in range(4)]
    for watcher in watchers:
        watcher.start()
    yield path
    ended.set()
    for watcher in watchers:
        watcher.join()


def test_a_lock_is_taken_while_others_look_who_holds_it(lock: Path) -> None:
    taken = 0
    for _ in range(2000):
        with processes.locked(lock, "the test"):
            taken += processes.held(lock)
    assert taken == 2000


def test_a_lock_that_is_held_is_refused_at_once(lock: Path) -> None:
    with processes.locked(lock, "it"), pytest.raises(Conflict, match="it is under way"), processes.locked(lock, "it"):
        pass
