"""Saying on standard error what takes long: a spinner on a terminal, a line with the seconds elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` while the block runs, then how long it took."""
    console = Console(stderr=True, highlight=False)
    begun = perf_counter()
    with console.status(text):
        yield
    console.print(f"[dim]{text}: {perf_counter() - begun:.1f} s[/]")
