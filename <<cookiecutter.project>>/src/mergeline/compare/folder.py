"""report/: what was found, as data, as Markdown and as a page; and what the terminal shows of it."""

import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from . import markdown, page, report
from .report import Report

WIDE = 120
CHATTER = (
    ">",
    "\t",
    "Updating lock",
    "Generating lock",
    "To track",
    "To enable",
    "Use `dvc push`",
    "Data and pipelines",
    "Stage '",
)
"""How lines of DVC begin that say nothing to a person."""


def write(root: Path, made: Report) -> str:
    """Write the three files; give the Markdown."""
    folder = root / report.FOLDER
    folder.mkdir(exist_ok=True)
    report.write(folder, made)
    text = markdown.render(made)
    (folder / report.MARKDOWN).write_text(text, encoding="utf-8")
    (folder / report.PAGE).write_text(page.render(made), encoding="utf-8")
    return text


def show(root: Path, text: str, *, json: bool) -> None:
    """Print what report/ says: the Markdown for a person, or the data."""
    if json:
        sys.stdout.write((root / report.FOLDER / report.JSON).read_text(encoding="utf-8"))
        return
    Console(width=None if sys.stdout.isatty() else WIDE).print(Markdown(markdown.plain(text), hyperlinks=False))
    Console(soft_wrap=True).print(f"[dim]{report.FOLDER}/{report.PAGE} has the plots.[/]")


def say(line: str) -> None:
    """Pass on what a stage says, and of DVC's own lines those that name a stage that runs."""
    if line.strip() and not line.startswith(CHATTER):
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(line, style="dim")
