"""Whole lines or none, in files of bounded size, in a folder of bounded size."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mergeline import events
from mergeline.serve.journal import folder as folders
from mergeline.serve.journal.folder import Folder

LINE = b"x" * 99 + b"\n"


@pytest.fixture(autouse=True)
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOOK_SECONDS", 0)


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """Let the system refuse to write files beyond a size, as a full disk does: in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def total(path: Path) -> int:
    return sum(file.stat().st_size for file in events.files(path))


def test_a_line_that_the_disk_takes_in_part_is_taken_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 2**20)
    folder.append(LINE)
    with full_at(150), pytest.raises(OSError, match="too large"):
        folder.append(LINE)
    assert total(tmp_path) == 100

    folder.append(LINE)
    folder.close()

    assert [file.read_bytes() for file in events.files(tmp_path)] == [LINE, LINE]


def test_a_disk_that_takes_nothing_gets_no_empty_files(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 2**20)
    for _ in range(3):
        with full_at(50), pytest.raises(OSError, match="too large"):
            folder.append(LINE)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_removed_is_noticed_and_the_folder_made_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "log", 2**20)
    folder.append(LINE)
    for file in events.files(tmp_path / "log"):
        file.unlink()
    (tmp_path / "log").rmdir()

    with pytest.raises(FileNotFoundError, match="removed"):
        folder.append(LINE)
    folder.append(LINE)
    folder.close()

    assert total(tmp_path / "log") == 100


def test_the_oldest_finished_files_make_room(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 8_000)
    seen: list[int] = []
    first = b"1" * 99 + b"\n"
    folder.append(first)
    for _ in range(300):
        folder.append(LINE)
        seen.append(total(tmp_path))
    folder.close()

    kept = events.files(tmp_path)
    assert max(seen) <= 8_000
    assert min(seen[100:]) > 6_000
    assert all(file.stat().st_size <= 1_000 for file in kept)
    assert not any(first in file.read_bytes() for file in kept)


def test_a_file_that_another_server_writes_stays_and_that_of_a_killed_one_goes(tmp_path: Path) -> None:
    living, ended, ours = (Folder(tmp_path, 8_000) for _ in range(3))
    living.append(b"l" * 99 + b"\n")
    ended.append(b"e" * 99 + b"\n")
    ended.close()
    for _ in range(200):
        ours.append(LINE)
    ours.close()

    kept = b"".join(file.read_bytes() for file in events.files(tmp_path))
    living.close()
    assert b"l" in kept
    assert b"e" not in kept


def test_a_folder_that_other_servers_fill_takes_no_more(tmp_path: Path) -> None:
    others = [Folder(tmp_path, 80_000) for _ in range(9)]
    for other in others:
        other.append(LINE * 10)
    ours = Folder(tmp_path, 8_000)

    with pytest.raises(OSError, match="more than 8000 bytes"):
        ours.append(LINE)
    others[0].close()
    ours.append(LINE)

    for one in (*others, ours):
        one.close()
    assert total(tmp_path) == 8_100


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(LINE * 1_000)
    folder = Folder(tmp_path, 8_000)
    for _ in range(200):
        folder.append(LINE)
    folder.close()

    assert (tmp_path / "labels.csv").stat().st_size == 100_000


def test_only_the_owner_and_the_group_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = Folder(tmp_path, 2**20)
        folder.append(LINE)
        folder.close()
    finally:
        os.umask(before)

    assert [file.stat().st_mode & 0o777 for file in events.files(tmp_path)] == [0o640]
