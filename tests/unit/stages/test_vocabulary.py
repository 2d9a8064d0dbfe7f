"""Which texts a bundle says that its model knows."""

import asyncio

import msgspec
import polars as pl
import pytest

from mergeline import bundle
from mergeline.bundle import Signature
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms
from mergeline.stages import vocabulary
from tests.unit.serve.asgi import ask

from .conftest import Project, flights


def exported(project: Project) -> Signature:
    project.until("export")
    return bundle.load(project.root / "bundle").signature


def test_a_bundle_knows_the_texts_that_its_encoder_was_fitted_on(project: Project) -> None:
    known = exported(project).known

    train = pl.read_parquet(project.root / "data/train.parquet")
    assert known == {
        name: sorted(train[name].drop_nulls().unique().to_list()) for name in ("carrier", "origin", "dest")
    }


def test_texts_of_a_sensitive_column_are_in_no_bundle(project: Project) -> None:
    project.edit("src/model/schema.py", "SENSITIVE: tuple[str, ...] = ()", 'SENSITIVE: tuple[str, ...] = ("origin",)')

    assert set(exported(project).known or {}) == {"carrier", "dest"}


def test_a_column_of_too_many_texts_is_left_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "MOST", 50)
    project.rows(flights().with_columns(carrier=(pl.int_range(pl.len()) % 100).cast(pl.String).str.zfill(2)))

    assert set(exported(project).known or {}) == {"origin", "dest"}


def test_nobody_is_told_the_texts(project: Project) -> None:
    exported(project)
    app = Application(Arms(bundle.load(project.root / "bundle"), None))

    _, _, schema = asyncio.run(ask(app, "/schema"))

    assert b"known" not in schema
    assert msgspec.json.decode(schema, type=Signature).categorical == ["carrier", "origin", "dest"]
