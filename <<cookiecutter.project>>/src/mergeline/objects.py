"""The objects that dvc.lock names: run the pipeline, hand its results over, put them back without training.

An object is a file named by the md5 of its content; a folder is a list of such names, itself an object. DVC's
cache, a DVC remote and the folder that a workflow hands over share one layout (`files/md5/ab/cdef…`), so objects
are moved by copying and are checked by hashing. What decides whether a stage must run is `dvc repro` alone.

DVC is called as a program: its locks and threads are its own, and a checkout must run its own code.
"""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import yaml

from . import files, repo
from .errors import Integrity, MergelineError, RepositoryTrouble

LOCK = "dvc.lock"
PIPELINE = "dvc.yaml"
RAW = "data/"
"""Raw rows never leave this machine with a hand-over."""
NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
FAILED = ("error ", "ERROR: ")
"""How a stage and DVC begin the line that says what went wrong."""
REMEDY = f"Run `git checkout {LOCK}`, or remove it and run `dvc repro`."


@dataclass(frozen=True, slots=True)
class Output:
    """A file or folder that a stage wrote, as dvc.lock names it."""

    stage: str
    path: str
    name: str


class _Entry(msgspec.Struct, frozen=True):
    md5: str
    relpath: str


class _File(msgspec.Struct):
    path: str


class _Stage(msgspec.Struct):
    deps: list[_File] = []
    outs: list[_File] = []
    params: dict[str, dict[str, Any]] = {}


class _Lock(msgspec.Struct):
    stages: dict[str, _Stage] = {}


def lock(root: Path) -> dict[str, Any]:
    """Parse dvc.lock; empty where none is. Raises Integrity when it is no lock."""
    path = root / LOCK
    if not path.is_file():
        return {}
    return parse_lock(path.read_bytes())


def parse_lock(content: bytes) -> dict[str, Any]:
    """Parse the content of a dvc.lock. Raises Integrity when it is no lock."""
    try:
        found: dict[str, Any] = parse_yaml(content)
        msgspec.convert(found, _Lock)
    except yaml.YAMLError as error:
        raise Integrity(f"{LOCK}: not valid YAML", REMEDY) from error
    except msgspec.ValidationError as error:
        raise Integrity(f"{LOCK}: not a lock of DVC: {error}", REMEDY) from error
    return found


def parse_yaml(content: bytes) -> Any:
    """Parse YAML with the fast parser where it is there."""
    return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe


def outputs(root: Path) -> list[Output]:
    """Give what dvc.lock says the stages wrote, as far as dvc.yaml still declares it. Raises Integrity."""
    known = declared(root)
    found = []
    for stage, entry in lock(root).get("stages", {}).items():
        for out in entry.get("outs", []):
            name, path = str(out.get("md5", "")), str(out.get("path", ""))
            if not NAME.fullmatch(name):
                raise Integrity(f"{LOCK}: {path} of stage {stage} has no md5")
            if path in known:
                found.append(Output(str(stage), path, name))
    return found


def repro(
    checkout: Path,
    *,
    allow_missing: bool = False,
    dry: bool = False,
    targets: Sequence[str] = (),
    python: str = sys.executable,
    say: Callable[[str], None] | None = None,
) -> list[str]:
    """Run the stages whose inputs moved, with the checkout's own code; give the names of those that really ran.

    Args:
        checkout: has dvc.yaml.
        allow_missing: outputs that are not here count as unchanged when their inputs are.
        dry: run nothing, give the names of those that would run.
        targets: stages, with what they need; none means all.
        python: has DVC and the packages of requirements/train.txt; `model` is found beside it.
        say: gets each line while it is printed, those of a failure aside, which is raised.

    Raises:
        Integrity: dvc.lock is no lock.
        RepositoryTrouble: DVC failed, with the line that says why.
        MergelineError: a stage failed; the line that it said, with its exit code.
    """
    lock(checkout)
    options = [*(["--allow-missing"] if allow_missing else []), *(["--dry"] if dry else [])]
    command = [python, "-m", "dvc", "repro", *options, *targets]
    ran: list[str] = []
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=checkout,
        env={
            **os.environ,
            **repo.QUIET,
            **repo.environment(checkout),
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if begun := re.match(r"Running stage '(.+)':", line):
                ran.append(begun[1])
            if say and not _plain(line).startswith(FAILED):
                say(line.rstrip())
    if process.returncode:
        raise _trouble([_plain(line) for line in lines])
    return ran


def _plain(line: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", line)


def _trouble(lines: Sequence[str]) -> MergelineError:
    """Give the failure of a stage as the stage said it, else what DVC said."""
    codes = {kind.code: kind for kind in MergelineError.__subclasses__()}
    said = next((line.removeprefix("error ") for line in lines if line.startswith("error ")), None)
    code = next((int(found[1]) for line in lines if (found := re.search(r", exited with (\d+)$", line))), None)
    if said and code in codes:
        return codes[code](said, "")
    why = said or next((line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")), None)
    return RepositoryTrouble(
        f"`dvc repro` failed: {why or ' '.join(lines[:3]) or 'no reason given'}",
        "Run `dvc repro` to see all that it says.",
    )


def prepare(checkout: Path, beside: Path) -> None:
    """Let another checkout share `beside`'s cache and remotes, without a trace after it is removed.

    DVC's own scratch folder goes into the checkout: each path would leave one in the machine-wide place.
    """
    settings = _read(beside / ".dvc" / "config.local")
    for section in settings.sections():
        for key in {"url", "dir"} & settings[section].keys():
            settings[section][key] = _absolute(settings[section][key], beside / ".dvc")
    for section, key, value in (
        ("cache", "dir", str(cache(beside))),
        ("core", "site_cache_dir", str(checkout / ".dvc" / "tmp" / "site")),
    ):
        if not settings.has_section(section):
            settings.add_section(section)
        settings[section][key] = value
    (checkout / ".dvc").mkdir(exist_ok=True)
    with (checkout / ".dvc" / "config.local").open("w", encoding="utf-8") as file:
        settings.write(file)


def cache(root: Path) -> Path:
    """Give the folder of DVC's cache, as .dvc/config.local or .dvc/config says."""
    for name in ("config.local", "config"):
        settings = _read(root / ".dvc" / name)
        if settings.has_option("cache", "dir"):
            return Path(_absolute(settings["cache"]["dir"], root / ".dvc"))
    return (root / ".dvc" / "cache").resolve()


def has_remote(root: Path) -> bool:
    """Say whether a DVC remote is set up here."""
    return any(
        section.strip("'").startswith("remote ")
        for name in ("config", "config.local")
        for section in _read(root / ".dvc" / name).sections()
    )


def place_sources(checkout: Path) -> None:
    """Put the raw rows that committed `*.dvc` files name in place, from the cache or else from the remote.

    `dvc repro` does not: it calls them missing.

    Raises:
        RepositoryTrouble: neither has them.
    """
    named = repo.git(checkout, "ls-files", "*.dvc").splitlines()
    ways = ("checkout", "pull") if has_remote(checkout) else ("checkout",)
    for way in ways if named else ():
        try:
            repo.run([sys.executable, "-m", "dvc", way, "--quiet", *named], checkout, env=repo.environment(checkout))
            return
        except RepositoryTrouble:
            if way == ways[-1]:
                raise


def place(root: Path, paths: Sequence[str] = ()) -> dict[str, bool]:
    """Copy outputs from the cache to their places.

    An object that does not have the content of its name counts as absent, and is removed: neither a fetch nor a
    stage replaces what is there.

    Args:
        root: its dvc.lock names the outputs.
        paths: which; none means all.

    Returns:
        The paths whose objects are not in the cache, and whether that is because one was damaged.

    Raises:
        Integrity: the list of a folder's files cannot be read or leads out of it.
    """
    store = cache(root)
    missing = {}
    for out in outputs(root):
        if paths and out.path not in paths:
            continue
        try:
            _place(out, store, root / out.path)
        except FileNotFoundError:
            missing[out.path] = False
        except Integrity:
            if not _purge(out, store):
                raise
            missing[out.path] = True
    return missing


def pack(root: Path, to: Path) -> list[str]:
    """Write a folder that is a DVC remote with the lock in it: everything but raw rows. Give the packed paths.

    Raises:
        RepositoryTrouble: an output that dvc.lock names is neither in the cache nor in its place.
    """
    store = cache(root)
    packed = []
    to.mkdir(parents=True, exist_ok=True)
    for out in outputs(root):
        if out.path.startswith(RAW):
            continue
        for name, place_ in _members(out, store, root / out.path):
            source = next((p for p in (_object(store, name), place_) if p and p.is_file()), None)
            if source is None:
                raise RepositoryTrouble(
                    f"{out.path}, which {LOCK} names, is not in the DVC cache", "Run `dvc repro`, then try again."
                )
            _copy(source, _object(to, name), name)
        packed.append(out.path)
    shutil.copyfile(root / LOCK, to / LOCK)
    return packed


def unpack(root: Path, folder: Path) -> list[str]:
    """Put a packed folder's lock in place, its objects into the cache and its outputs where they belong.

    Nothing is written to the working copy before every object was checked.

    Raises:
        Integrity: an object does not have the content of its name, or leads out of the project.
        RepositoryTrouble: the folder has no lock, or lacks an object.
    """
    if not (folder / LOCK).is_file():
        raise RepositoryTrouble(f"{folder.name}/ holds no {LOCK}", "Hand over a folder that `model keep` made.")
    store = cache(root)
    before = (root / LOCK).read_bytes() if (root / LOCK).is_file() else None
    files.write(root / LOCK, (folder / LOCK).read_bytes())
    try:
        wanted = [out for out in outputs(root) if not out.path.startswith(RAW)]
        for out in wanted:
            try:
                for name, _ in _members(out, folder, None):
                    _copy(_object(folder, name), _object(store, name), name)
            except FileNotFoundError:
                raise RepositoryTrouble(
                    f"{folder.name}/ lacks {out.path}, which its {LOCK} names",
                    "Let `model keep` make the folder again.",
                ) from None
        for out in wanted:
            _place(out, store, root / out.path)
        _place_raw(root)
    except BaseException:
        if before is None:
            (root / LOCK).unlink()
        else:
            files.write(root / LOCK, before)
        raise
    return [out.path for out in wanted]


def _place_raw(root: Path) -> None:
    """Put the lock's raw rows in place from the cache, else remove those of another state, which DVC would call moved."""
    for out in outputs(root):
        at = root / out.path
        if out.path.startswith(RAW) and at.is_file() and _md5(at) != out.name and place(root, [out.path]):
            at.unlink()


def stages(root: Path) -> dict[str, Any]:
    """Give the stages of dvc.yaml by name."""
    found: dict[str, Any] = (parse_yaml((root / PIPELINE).read_bytes()) or {}).get("stages", {})
    return found


def declared(root: Path) -> set[str]:
    """Give the outputs that dvc.yaml names: a lock from elsewhere must not write any other path."""
    paths: set[str] = set()
    for stage in stages(root).values():
        for kind in ("outs", "metrics", "plots"):
            for out in stage.get(kind, []):
                paths |= {str(out)} if isinstance(out, str) else {str(path) for path in out}
    return {path for path in paths if _inside(path)}


def _inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and bool(parts.parts)


def _object(store: Path, name: str) -> Path:
    return store / "files" / "md5" / name[:2] / name[2:]


def _members(out: Output, store: Path, place_: Path | None) -> Iterator[tuple[str, Path | None]]:
    """Give every object of an output with its place: the one file, or the list of a folder and then its files."""
    yield out.name, place_
    if not out.name.endswith(".dir"):
        return
    listed = _object(store, out.name).read_bytes()
    _check(out.name, hashlib.md5(listed, usedforsecurity=False).hexdigest())
    try:
        entries = msgspec.json.decode(listed, type=list[_Entry])
    except msgspec.MsgspecError as error:
        raise Integrity(f"{out.path}: the list of its files cannot be read") from error
    for entry in entries:
        if not _inside(entry.relpath) or not NAME.fullmatch(entry.md5):
            raise Integrity(f"{out.path}: lists {entry.relpath!r:.80}, which leads out of it")
        yield entry.md5, place_ / entry.relpath if place_ else None


def _place(out: Output, store: Path, at: Path) -> None:
    """Make `at` have exactly the content of an output, by way of a neighbour, so that it is never half there."""
    fresh = at.with_name(f".{at.name}.{os.getpid()}")
    try:
        for name, place_ in _members(out, store, fresh):
            if name.endswith(".dir"):
                fresh.mkdir(parents=True)
            elif place_:
                _copy(_object(store, name), place_, name)
        if at.is_dir():
            shutil.rmtree(at)
        fresh.replace(at)
    finally:
        if fresh.is_dir():
            shutil.rmtree(fresh)
        fresh.unlink(missing_ok=True)


def _purge(out: Output, store: Path) -> bool:
    """Remove the damaged objects of an output; say whether there was one."""
    removed = False
    for name, _ in _members(out, store, None):
        at = _object(store, name)
        if at.is_file() and _md5(at) != name.removesuffix(".dir"):
            at.unlink()
            removed = True
            if name == out.name:
                break  # what it listed is not known
    return removed


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _copy(source: Path, to: Path, name: str) -> None:
    _check(name, _md5(source))
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = to.with_name(f".{to.name}.{os.getpid()}")
    shutil.copyfile(source, temporary)
    temporary.replace(to)


def _check(name: str, found: str) -> None:
    if found != name.removesuffix(".dir"):
        raise Integrity(f"an object named {name[:12]} has the md5 {found[:12]}", "Remove it, and fetch or train again.")


def _read(path: Path) -> configparser.ConfigParser:
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        settings.read(path, encoding="utf-8")
    except configparser.Error as error:
        reason = " ".join(str(error).split())
        raise RepositoryTrouble(f".dvc/{path.name} cannot be read: {reason}", "Correct the file.") from error
    return settings


def _absolute(location: str, folder: Path) -> str:
    return location if "://" in location else str((folder / location).resolve())
