"""Where rows come from and where scores go: a file, a folder or an S3 prefix, through fsspec.

S3 takes credentials and endpoint as DVC and the AWS tools do (AWS_PROFILE, AWS_ENDPOINT_URL, ...).
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

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


def plan(source: str, output: str, *, overwrite: bool) -> Plan:
    """Pair every input with its output.

    Raises:
        BadData: there is no input.
        Usage: the output lies inside the input folder, or has an ending that says something else.
        Conflict: an output is there and is not to be overwritten.
    """
    come, start = fsspec.core.url_to_fs(source)
    go, end = fsspec.core.url_to_fs(output)
    start, end = start.rstrip("/"), end.rstrip("/")
    if come.isfile(start):
        if not start.endswith(ENDINGS):
            raise Usage(f"{source} is neither .parquet nor .csv", "Name a Parquet or CSV file.")
        if not end.endswith(".parquet"):
            raise Usage(f"{output} does not end in .parquet", "The scores of one file are one Parquet file.")
        pairs = [Pair(start, end, PurePosixPath(start).name)]
    elif come.exists(start):
        if type(come) is type(go) and f"{end}/".startswith(f"{start}/"):
            raise Usage(f"{output} lies inside the input {source}", "Write beside the input folder, not into it.")
        found = sorted(path for path in come.find(start) if path.endswith(ENDINGS))
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


def scratch(made: Plan) -> Path | None:
    """Give the folder beside a local output where it can be written and then renamed; None for a remote one."""
    if not made.local:
        return None
    beside = Path(os.path.commonpath([str(Path(pair.target).parent) for pair in made.pairs]))
    beside.mkdir(parents=True, exist_ok=True)
    return beside


def deliver(made: Plan, file: Path, target: str) -> None:
    """Put a finished file in its place, in one step that happens or does not."""
    if made.local:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    else:
        made.target.put_file(str(file), target)
