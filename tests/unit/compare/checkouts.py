"""Checkouts of a base and a candidate with made rows and tiny models: what `compare` and `comment` read, without training."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandera.polars as pa
import polars as pl
import pytest

from mergeline import config, frames, refits
from mergeline.compare import command, comment, cost, looks, markdown, naming, report
from mergeline.compare.base import Base
from mergeline.compare.judge import Names
from mergeline.errors import MergelineError
from mergeline.forge import Comment, Remark
from mergeline.refits import Index
from mergeline.stages import validate
from mergeline.stages.schema import Schema
from tests.unit.compare.conftest import graph, make_rows, write_bundle
from tests.unit.compare.test_comment import FakeForge

GATES = """primary: roc_auc
metrics:
  roc_auc: {matters: 0.01, rules: {not_worse: true, at_least: 0.6}}
  log_loss: {matters: 0.01, rules: {not_worse: true}}
"""
PARAMS = 'python: "3.11"\ntask: classification\nmodel: {iterations: 100}\n'
PIPELINE = "stages:\n  ingest:\n    cmd: model ingest\n    outs: [data/raw.parquet]\n"
IGNORED = "data/\nresults/\nbundle/\nreport/\ndvc.lock\n"
HEAD, BASE = "e" * 40, "b" * 40
MASKED = (
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "…"),
    (re.compile(r"^(\| (?:bundle|latency of [\w, ]+) \|).*$", re.MULTILINE), r"\1 … | … | … |"),
)
"""Commits, hashes, and what depends on this machine or on the version of a library."""


@dataclass(frozen=True)
class State:
    """One side: its models answer `weights` · columns; `anew` models trained anew differ from it by a little."""

    weights: Mapping[str, float]
    held_out: pl.DataFrame = field(default_factory=make_rows)
    train: pl.DataFrame = field(default_factory=lambda: renamed(make_rows(seed=8)))
    task: config.Task = "classification"
    label: str = "late"
    classes: Sequence[str] = ("false", "true")
    features: str | None = None
    anew: int = 4
    row_id: str = "id"
    time: str | None = "day"
    slices: tuple[str, ...] = ("carrier",)
    sensitive: tuple[str, ...] = ()
    gates: str = GATES
    params: str = PARAMS
    seconds: float = 2.0
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Situation:
    """A pull request. `base` is None for the first; `problem` says why its base has no model; `code` is the exit code."""

    candidate: State
    base: State | None = None
    problem: str | None = None
    code: int = 0
    forge: Callable[[], FakeForge] = FakeForge
    looks: int = 0
    longest: int = markdown.LARGEST


def renamed(rows: pl.DataFrame, before: str = "t") -> pl.DataFrame:
    """Give rows other ids."""
    return rows.with_columns((pl.lit(before) + pl.col("id")).alias("id"))


def said(situation: Situation, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """Judge a pull request and comment on it; give exit codes, status and comment as the pull request shows them."""
    root, base = folder / "candidate", folder / "base"
    other, forge = _checkouts(situation, root, base), situation.forge()
    candidate = situation.candidate
    patch.setattr(
        naming,
        "of_schema",
        lambda: Names(candidate.label, candidate.row_id, candidate.time, candidate.slices, candidate.sensitive),
    )
    patch.setattr(cost, "SECONDS", 0.0)
    patch.setattr(markdown, "LARGEST", situation.longest)
    for module in (command, comment):
        patch.setattr(module, "connect", lambda _root: forge)
    patch.setenv("GITHUB_EVENT_PATH", str(_event(folder)))
    (root / report.FOLDER).mkdir()
    try:
        made = command.build(root, config.params(root), config.gates(root), ["train"], other, 7)
    except MergelineError as error:
        return f"`model compare` exits with {error.code}: {error}\n\n{_commented(base, root, forge)}"
    report.write(root / report.FOLDER, made)
    if situation.looks:
        lines = "\n".join(
            f"{looks.MARK}rows={made.judged.hash} base=0 candidate=c{i} -->" for i in range(situation.looks)
        )
        forge.said.append(Comment(number=3, body=lines))
    return f"`model compare` exits with {3 if made.fails() else 0}\n\n{_commented(base, root, forge)}"


def _commented(base: Path, root: Path, forge: FakeForge) -> str:
    """Let the job with the write token comment; give its exit code, the status and the comment."""
    code = 0
    try:
        comment.run(base, root / report.FOLDER / report.JSON)
    except MergelineError as error:
        code = error.code
    ((_, _, state, description),) = forge.states
    return f"`model comment` exits with {code}; status {state}: {description}\n\n---\n\n{forge.body}\n"


def masked(text: str) -> str:
    """Take out what differs from run to run and from machine to machine."""
    for what, shown in MASKED:
        text = what.sub(shown, text)
    return text


def _checkouts(situation: Situation, root: Path, base: Path) -> Base | None:
    """Write both sides: the candidate as a commit on top of the base's."""
    first = situation.base or situation.candidate
    _write(base, first, models=situation.base is not None and situation.problem is None)
    root.mkdir()
    _git(root, "init", "--quiet", "--initial-branch", "main")
    _commit(root, {".gitignore": IGNORED, "dvc.yaml": PIPELINE, **_sources(first)})
    commit = _git(root, "rev-parse", "HEAD")
    _commit(root, _sources(situation.candidate))
    _write(root, situation.candidate)
    if situation.base is None:
        return None
    params, gates = config.params(base), config.gates(base)
    return Base(commit, base, params, gates, problem=situation.problem)


def _sources(state: State) -> dict[str, str]:
    schema = f"ROW_ID = {state.row_id!r}\nSLICES = {state.slices!r}\nSENSITIVE = {state.sensitive!r}\n"
    features = state.features or f"NUMERIC = {tuple(state.weights)!r}\n"
    model = {"src/model/schema.py": schema, "src/model/features.py": features}
    return {"gates.yaml": state.gates, "params.yaml": state.params, **model, **state.files}


def _commit(root: Path, files: Mapping[str, str]) -> None:
    _put(root, files)
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--allow-empty", "--message", "One")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def _put(root: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def _write(root: Path, state: State, *, models: bool = True) -> None:
    """Write settings, and where `models` is true what the stages would have written."""
    everything = pl.concat([state.train, state.held_out])
    content = md5("".join(frames.hashes(everything)).encode(), usedforsecurity=False).hexdigest()
    lock = {"stages": {"ingest": {"outs": [{"path": "data/raw.parquet", "md5": content}]}}}
    _put(root, {"dvc.yaml": PIPELINE, "dvc.lock": json.dumps(lock), **_sources(state)})
    if not models:
        return
    for name, rows in (("held_out", state.held_out), ("train", state.train)):
        (root / "data").mkdir(exist_ok=True)
        frames.write(root / f"data/{name}.parquet", rows)
    for name, rows in (("predictions", state.held_out), ("trained_on", state.train)):
        (root / "results").mkdir(exist_ok=True)
        ids = pl.DataFrame({"row_id": rows[state.row_id], "row_hash": frames.hashes(rows)})
        frames.write(root / f"results/{name}.parquet", ids)
    (root / "results/cost.json").write_text(json.dumps({"machine": "one", "seconds": state.seconds}))
    (root / "results/metrics.json").write_text(json.dumps({"period": _period(state)}))
    profile = validate.profile(everything, _schema(state, everything))
    (root / "results/profile.json").write_text(json.dumps(profile))
    write_bundle(
        root / "bundle",
        dict(state.weights),
        task=state.task,
        label=state.label,
        classes=state.classes,
        features=state.features,
    )
    _anew(root / refits.FOLDER, state)


def _anew(folder: Path, state: State) -> None:
    folder.mkdir()
    rng = np.random.default_rng(7)
    names = [f"{i}.onnx" for i in range(state.anew)]
    for name in names:
        moved = [weight * (1 + 0.02 * rng.normal()) for weight in state.weights.values()]
        (folder / name).write_bytes(graph(moved, state.task, len(state.classes)))
    (folder / refits.INDEX).write_bytes(msgspec.json.encode(Index(refits=names)))


def _period(state: State) -> list[Any] | None:
    if state.time is None or not len(state.held_out):
        return None
    days = frames.days(state.held_out[state.time])
    return [days.min(), days.max()]


def _schema(state: State, rows: pl.DataFrame) -> Schema:
    return Schema(pa.DataFrameModel, dict(rows.schema), state.label, state.row_id, state.time, state.slices)


def _event(folder: Path) -> Path:
    repository = {"full_name": "org/flights"}
    pull = {
        "number": 7,
        "title": "Use the wind",
        "user": {"login": "ann"},
        "head": {"sha": HEAD, "repo": repository},
        "base": {"sha": BASE, "ref": "main", "repo": repository},
    }
    (folder / "event.json").write_text(json.dumps({"pull_request": pull}))
    return folder / "event.json"


def overridden(reason: str) -> Callable[[], FakeForge]:
    """Give a forge on which a maintainer lifts gates of the pull request."""

    def make() -> FakeForge:
        forge = FakeForge()
        forge.remarked[7] = [Remark(author="ann", body=reason)]
        return forge

    return make
