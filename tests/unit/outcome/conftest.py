from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline import bundle, store
from mergeline.bundle import Column, Signature
from mergeline.compare import asked
from mergeline.outcome import command
from mergeline.outcome.result import Result
from tests.unit.outcome.made import Traffic, course

GATES = "primary: roc_auc\nmetrics: {brier: {matters: 0.002}, roc_auc: {matters: 0.02}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder, with what a report reads of it."""
    made = tmp_path / "project"
    made.mkdir()
    (made / "pyproject.toml").write_text('[project]\nname = "made"\n')
    (made / "params.yaml").write_text('python: "3.11"\ntask: classification\n')
    (made / "gates.yaml").write_text(GATES)
    return made


@pytest.fixture
def stored(root: Path, tmp_path: Path) -> Callable[..., str]:
    """Put a bundle into the project's store whose signature alone is real; give its id."""

    def made(**changes: Any) -> str:
        folder = tmp_path / "made"
        folder.mkdir(exist_ok=True)
        known: dict[str, Any] = {"name": "made", "task": "classification", "label": "late", "classes": ["no", "yes"]}
        columns = {"columns": [Column("carrier", "text")], "numeric": [], "categorical": ["carrier"]}
        (folder / bundle.SIGNATURE).write_bytes(msgspec.json.encode(Signature(**{**known, **columns, **changes})))
        for name in (bundle.MODEL, bundle.FEATURES, bundle.SMOKE):
            (folder / name).write_bytes(b"")
        bundle.seal(folder)
        return store.store(folder, root)

    return made


@pytest.fixture
def report(root: Path, tmp_path: Path, stored: Callable[..., str]) -> Callable[..., Result]:
    """Report on traffic: of an experiment changed as the test wants it, with its labels or without."""

    def made(traffic: Traffic, *, labelled: bool = True, since: str | None = None, **changes: Any) -> Result:
        bundles = {"pinned_bundle": stored(), "bundle": stored(threshold=0.6)}
        return command.run(
            root,
            course(**{**bundles, **changes}),
            asked.rules(root),
            traffic.write(tmp_path / "log"),
            labelled=traffic.csv(tmp_path / "labels.csv") if labelled else None,
            since=since,
        )

    return made
