"""A small project with made flights, whose stages run in this process."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

TEMPLATE = Path(__file__).parents[3] / "<<cookiecutter.project>>"
ORDER = ("ingest", "validate", "split", "train", "evaluate", "export", "refit", "explain")


def flights(rows: int = 600, seed: int = 7) -> pl.DataFrame:
    """Give made flights of June and July that schema.py accepts; late ones are more frequent in the evening."""
    rng = np.random.default_rng(seed)
    day = pl.date_range(pl.date(2013, 5, 1), pl.date(2013, 6, 30), eager=True)
    days = day.gather(np.sort(rng.integers(0, len(day), rows)))
    minute = rng.integers(300, 1400, rows)
    late = rng.random(rows) < minute / 2800
    return pl.DataFrame(
        {
            "flight_id": [f"{d} UA{i}" for i, d in enumerate(days)],
            "date": days.dt.to_string(),
            "month": days.dt.month().cast(pl.Int64),
            "weekday": days.dt.weekday().cast(pl.Int64),
            "departure_minute": minute,
            "arrival_minute": (minute + 120) % 1440,
            "carrier": rng.choice(["UA", "B6", "DL"], rows),
            "origin": rng.choice(["EWR", "JFK", "LGA"], rows),
            "dest": rng.choice(["BOS", "ORD"], rows),
            "distance": rng.integers(200, 2500, rows),
            "plane_year": pl.Series(rng.integers(1990, 2013, rows)).set(pl.Series(rng.random(rows) < 0.1), None),
            "seats": rng.integers(50, 300, rows),
            **{
                name: rng.uniform(10, 90, rows).round(1)
                for name in ("temp", "dewp", "humid", "wind_speed", "precip", "visib")
            },
            "pressure": rng.uniform(990, 1030, rows).round(1),
            "late": late,
            "minutes_late": np.where(late, rng.uniform(16, 200, rows), rng.uniform(-30, 15, rows)).round(),
        }
    )


class Project:
    """A project's folder: change its rows, settings and code, then run stages."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def rows(self, frame: pl.DataFrame) -> None:
        """Make these the rows that `model ingest` finds."""
        self.root.joinpath("data/files").mkdir(parents=True, exist_ok=True)
        frame.write_parquet(self.root / "data/files/rows.parquet")

    def set(self, **sections: Any) -> None:
        """Change sections of params.yaml; a dict changes keys of its section."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for name, value in sections.items():
            params[name] = params[name] | value if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(params))

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file, which must hold it."""
        before = (self.root / path).read_text()
        assert old in before
        (self.root / path).write_text(before.replace(old, new))

    def run(self, *stages: str) -> None:
        """Run stages with the code that the folder holds now."""
        forget()
        for stage in stages:
            import_module(f"mergeline.stages.{stage}").run(self.root)

    def until(self, last: str) -> None:
        """Run every stage up to `last`."""
        self.run(*ORDER[: ORDER.index(last) + 1])


def imported() -> dict[str, ModuleType]:
    """Give the modules of the package `model` that are imported."""
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "model"}


def forget() -> None:
    """Let the next import of the package `model` read its files anew."""
    for name in imported():
        del sys.modules[name]


@contextmanager
def own_code() -> Iterator[None]:
    """Let projects bring a package `model` each; the one that was imported before is back afterwards."""
    before = imported()
    try:
        yield
    finally:
        forget()
        sys.modules.update(before)


def make(root: Path, task: str = "classification") -> Project:
    """Write a project without the loop's code: the loop under test is the template's."""
    shutil.copytree(TEMPLATE / "src/model", root / "src/model", ignore=shutil.ignore_patterns("__pycache__"))
    if task == "regression":
        shutil.copytree(TEMPLATE / ".variants/regression", root, dirs_exist_ok=True)
    (root / "pyproject.toml").write_text('[project]\nname = "flight-delays"\n')
    params = (TEMPLATE / "params.yaml").read_text().replace("<< cookiecutter.task >>", task)
    (root / "params.yaml").write_text(params)
    project = Project(root)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    project.set(python=here, data={"source": "files"}, model={"iterations": 10})
    project.rows(flights())
    return project


@pytest.fixture
def project_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Project]]:
    """Give a function that makes a project in a folder; the last one made is the one whose code runs."""

    def made(root: Path, task: str = "classification") -> Project:
        project = make(root, task)
        monkeypatch.syspath_prepend(root / "src")
        monkeypatch.chdir(root)
        return project

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with own_code():
        yield made


@pytest.fixture
def project(project_at: Callable[..., Project], tmp_path: Path) -> Project:
    """Give a classification project."""
    return project_at(tmp_path / "project")
