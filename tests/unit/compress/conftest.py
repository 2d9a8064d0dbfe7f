"""A project whose rows are split, with a model so small that one trial is left to try."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.stages.conftest import TEMPLATE, Project, flights, make, own_code


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Give a classification project that halves its ten rounds once; gates.yaml asks nothing of small metrics."""
    made = make(tmp_path / "project")
    made.set(model={"iterations": 10, "max_leaf_nodes": 4}, compare={"refits": 1})
    shutil.copy(TEMPLATE / "gates.yaml", made.root / "gates.yaml")
    made.edit("gates.yaml", "at_least: 0.60", "at_least: 0.30")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(made.root / "src")
    made.rows(flights(240))
    with own_code():
        made.run("ingest", "split")
        yield made
