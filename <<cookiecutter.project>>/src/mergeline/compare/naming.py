"""What src/model/schema.py calls things, and what the base's adds to it."""

from dataclasses import replace
from pathlib import Path

from ..errors import BadData, your_code
from . import base as bases
from .judge import Names


def of_schema() -> Names:
    """Give the names of src/model/schema.py. Raises BrokenCode, or BadData when one is not there."""
    with your_code("schema.py"):
        from model import schema

    try:
        sensitive = tuple(getattr(schema, "SENSITIVE", ()))
        return Names(schema.LABEL, schema.ROW_ID, schema.TIME, tuple(schema.SLICES), sensitive)
    except AttributeError as error:
        raise BadData(f"src/model/schema.py: {error}", "Add it; the README has the list.") from error


def kept(own: Names, base: Path, columns: list[str]) -> Names:
    """Add the slices and sensitive columns of the base: a pull request cannot drop what it is judged by."""
    slices = (*own.slices, *bases.names(base, "SLICES", columns))
    sensitive = (*own.sensitive, *bases.names(base, "SENSITIVE", columns))
    return replace(own, slices=tuple(dict.fromkeys(slices)), sensitive=tuple(dict.fromkeys(sensitive)))
