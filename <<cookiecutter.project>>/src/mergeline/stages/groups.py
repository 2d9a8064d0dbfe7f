"""The unit of independence: which rows belong together."""

import polars as pl

from .. import frames
from ..config import Params
from ..errors import BadSettings
from .schema import Schema, text


def names(rows: pl.DataFrame, known: Schema, params: Params) -> tuple[str | None, list[str]]:
    """Give the unit and each row's group: compare.group, else split.group, else the day, else the row itself.

    Raises:
        BadSettings: the group is no column.
    """
    name = params.compare.group or params.split.group
    if name is not None:
        if name not in rows.columns:
            raise BadSettings(f"params.yaml: the group {name} is no column of schema.py", "Name one, or null.")
        return name, text(rows, name).to_list()
    if known.time is not None:
        return "day", frames.days(rows[known.time]).fill_null("").to_list()
    return None, text(rows, known.row_id).to_list()
