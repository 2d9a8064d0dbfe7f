"""Where rows come from and where scores go: a file, a folder or an S3 prefix, through fsspec.

S3 takes credentials and endpoint as DVC and the AWS tools do (AWS_PROFILE, AWS_ENDPOINT_URL, ...).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError

from ..errors import BadData, Conflict, Usage

ENDINGS = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Pair:
    """One file of rows and the file of its scores, in the words of their file systems."""

    source: str
    target: str
    name: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read and written, and by which file systems."""

    pairs: list[Pair]
    source: Any
    target: Any
    local: bool


@contextmanager
def reached(what: str) -> Iterator[None]:
    """Say in one line what a disk or S3 does not allow. Raises Usage."""
    try:
        yield
    except (OSError, BotoCoreError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Usage(f"{what}: {reason:.200}", "Check the path and, for s3://, credentials and endpoint.") from error


def plan(source: str, output: str, *, overwrite: bool) -> Plan:
    """Pair every input with its output.

    Raises:
        BadData: there is no input.
        Usage: the output lies inside the input folder, or has an ending that says something else.
        Conflict: an output is there and is not to be overwritten.
    """
    come, start = _reach(source)
    go, end = _reach(output)
    if come.isfile(start):
        if not start.endswith(ENDINGS):
            raise Usage(f"{source} is neither .parquet nor .csv", "Name a Parquet or CSV file.")
        if not end.endswith(".parquet"):
            raise Usage(f"{output} does not end in .parquet", "The scores of one file are one Parquet file.")
        if type(come) is type(go) and start == end:
            raise Usage(f"{output} is the input", "Name another output.")
        pairs = [Pair(start, end, PurePosixPath(start).name)]
    elif come.exists(start):
        if type(come) is type(go) and f"{end}/".startswith(f"{start}/"):
            raise Usage(f"{output} lies inside the input {source}", "Write beside the input folder, not into it.")
        found = sorted(path for path in come.find(start) if path.endswith(ENDINGS) and not _hidden(path, start))
        if not found:
            raise BadData(f"{source} holds no .parquet and no .csv file", "Name a folder that holds rows.")
        names = [path[len(start) + 1 :] for path in found]
        targets = [f"{end}/{PurePosixPath(name).with_suffix('.parquet')}" for name in names]
        if len(set(targets)) < len(targets):
            raise Usage(f"{source} holds a .csv and a .parquet of one name", "Rename one of them.")
        pairs = [Pair(path, target, name) for path, target, name in zip(found, targets, names, strict=True)]
    else:
        raise BadData(f"no such file or folder: {source}", "Check the path.")
    if not overwrite and (taken := next((pair.target for pair in pairs if go.exists(pair.target)), None)):
        raise Conflict(f"{taken} is there already", "Name another output, or pass --overwrite.")
    return Plan(pairs, come, go, "file" in go.protocol)


def _reach(url: str) -> tuple[Any, str]:
    if "://" in url and not url.startswith("s3://"):
        raise Usage(f"{url} is neither a path nor s3://", "Copy it to one of these.")
    system, path = fsspec.core.url_to_fs(url)
    return system, path.rstrip("/")


def _hidden(path: str, start: str) -> bool:
    """Say whether it is what other programs leave beside tables (`_temporary/`, `.part.parquet`)."""
    return any(part.startswith((".", "_")) for part in PurePosixPath(path[len(start) :].lstrip("/")).parts)


def scratch(made: Plan) -> Path | None:
    """Give the nearest folder that is there above local outputs, from which a rename is one step; None for S3."""
    if not made.local:
        return None
    above = Path(os.path.commonpath([str(Path(pair.target).parent) for pair in made.pairs]))
    return next(folder for folder in (above, *above.parents) if folder.is_dir())


def deliver(made: Plan, file: Path, target: str) -> None:
    """Put a finished file in its place, in one step that happens or does not."""
    if made.local:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    else:
        made.target.put_file(str(file), target)
