"""Writing result files: whole or not at all, and the same bytes for the same content."""

import os
from pathlib import Path
from typing import Any

import msgspec


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and machines: indented, keys sorted, NaN as null."""
    write(path, msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n")
