"""The rows of this folder are those that schema.py describes, and no row both trains and judges."""

import polars as pl

from mergeline.stages.schema import Schema
from mergeline.stages.validate import broken


def test_the_raw_rows_fit_the_schema(raw_rows: pl.DataFrame, known: Schema) -> None:
    assert not broken(raw_rows, known)


def test_no_row_both_trains_and_judges(train: pl.DataFrame, held_out: pl.DataFrame, known: Schema) -> None:
    assert not set(train[known.row_id]) & set(held_out[known.row_id])


def test_the_label_differs_among_training_rows(train: pl.DataFrame, known: Schema) -> None:
    assert train[known.label].n_unique() > 1
