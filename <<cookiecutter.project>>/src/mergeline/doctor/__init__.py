"""What this machine, this repository and its forge lack: one line each, with the remedy.

A check is a function of the project's folder in the list of its file. A failure is what makes a command of the
loop stop; everything else that is worth knowing is a warning.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from ..errors import MergelineError, RepositoryTrouble
from .finding import Finding, fail
from .hosting import CHECKS as FORGE
from .machine import CHECKS as MACHINE
from .platform import CHECKS as PLATFORM
from .platform import apply as set_variables
from .repository import CHECKS as REPOSITORY
from .settings import CHECKS as SETTINGS
from .settings import apply as set_settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
PLACES: dict[str, tuple[Callable[[Path], Iterable[Finding]], ...]] = {
    "machine": MACHINE,
    "repository": REPOSITORY,
    "forge": FORGE + SETTINGS,
    "platform": PLATFORM,
}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """The findings by place: machine, repository, forge, platform."""

    places: dict[str, list[Finding]]

    def code(self) -> int:
        """Give 0, or the exit code of the worst failure: errors.py numbers them by how far from the user they lie."""
        return max((found.code for place in self.places.values() for found in place), default=0)

    def table(self) -> Table:
        """Draw it."""
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for place, findings in self.places.items():
            table.add_row("", f"[bold]{place}[/]", "")
            for found in findings:
                mark = f"[{COLOURS[found.level]}]{found.level}[/]"
                table.add_row(mark, _plain(found.what), _plain(f"{found.says}. {found.remedy}".rstrip(" .") + "."))
        return table


def run(root: Path, *, json: bool, apply: bool = False) -> int:
    """Print the findings; give 0, also with warnings, or the exit code of the worst failure.

    Args:
        root: the project's folder.
        json: print for programs.
        apply: set on the forge what its file and the platform's ask for, and print how that went instead.

    Raises:
        Usage, BadSettings, ForgeTrouble: nothing could be set, see `settings.apply` and `platform.apply`.
    """
    found = Examined(places={"forge": [*set_settings(root), *set_variables(root)]}) if apply else examine(root)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(found.table())
    return found.code()


def examine(root: Path) -> Examined:
    """Run every check."""
    return Examined(
        places={
            place: [finding for check in checks for finding in _guarded(check, root)]
            for place, checks in PLACES.items()
        }
    )


def _guarded(check: Callable[[Path], Iterable[Finding]], root: Path) -> list[Finding]:
    """A check that cannot do its work says so in its own line, and the others still run."""
    try:
        return list(check(root))
    except MergelineError as error:
        return [fail(check.__name__.replace("_", " "), error)]
    except OSError as error:
        trouble = RepositoryTrouble(f"{error.filename or 'a file'} cannot be read", "Restore it from git.")
        return [fail(check.__name__.replace("_", " "), trouble)]


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
