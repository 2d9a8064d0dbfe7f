"""Pieces of Markdown that every part of the comment is made of; what they show is made harmless."""

from collections.abc import Sequence

from .words import NOTHING, clean, code, html

ROWS = 25
"""How many rows a table shows at most."""
FIXED = "\u00a0"
"""A space at which no browser breaks the line."""


def folded(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join(["<details>", f"<summary>{html(title)}</summary>", "", *lines, "", "</details>"])


def side(text: str | None) -> str:
    return NOTHING if text is None else code(text)


def text(text: str | None) -> str:
    return NOTHING if text is None else clean(text)


def count(things: Sequence[object], noun: str) -> str:
    return plural(len(things), noun)


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def fixed(text: str) -> str:
    """Keep text on one line."""
    return text.replace(" ", FIXED)
