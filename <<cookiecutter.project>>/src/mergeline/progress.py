"""Saying on standard error what takes long: a spinner on a terminal, a line with the seconds elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` while the block runs, then how long it took."""
    console = Console(stderr=True, highlight=False)
    begun = perf_counter()
    with console.status(text):
        yield
    console.print(f"[dim]{text}: {perf_counter() - begun:.1f} s[/]")


@contextmanager
def rows(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar of rows on a terminal; give what counts rows that are done. `total` is None when nobody knows it."""
    console = Console(stderr=True, highlight=False)
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)
