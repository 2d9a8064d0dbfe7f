"""The ledger as one HTML file with everything, no network. The template escapes every value."""

from pathlib import Path

import jinja2

from .. import files
from .ledger import Ledger


def write(found: Ledger, name: str, to: Path) -> str:
    """Write the page; say where it is.

    Args:
        found: the ledger.
        name: the project's.
        to: the file; its folder is made where it is not there.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    moves = [move for move in found.moves if move.action != "created"]
    page = environment.get_template("ledger.html").render(name=name, moves=moves, note=found.note)
    files.write(to, page.encode())
    return f"{to}: {len(moves)} moves"
