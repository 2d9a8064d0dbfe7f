""".github/repository.yml, which a person reads, against what the forge has set."""

from collections.abc import Iterator
from pathlib import Path

from .. import config, forge
from ..errors import ForgeTrouble, Usage
from ..forge.settings import Settings
from .finding import Finding, fail, ok, warn

FILE = ".github/repository.yml"
REFUSED = f"The account's plan may lack it, or the name be wrong: then take it out of {FILE}."


def asked(root: Path) -> Settings | None:
    """Read the file; None where there is none. Raises BadSettings."""
    path = root / FILE
    return config.parse(path.read_text(encoding="utf-8"), Settings, FILE) if path.is_file() else None


def settings(root: Path) -> Iterator[Finding]:
    """Say where the forge has something else set. Raises BadSettings."""
    connected, wanted = forge.connect(root), asked(root)
    if connected is None or wanted is None:
        return
    try:
        found = wanted.differences(connected.settings(list(wanted.environments)))
    except ForgeTrouble as error:
        yield warn("settings", f"not known: {error.args[0]}", "Ask with an administrator's token.")
        return
    for line in found:
        yield warn(
            "settings", line, f"`model doctor --apply` sets what {FILE} asks for, with an administrator's token."
        )
    if not found:
        yield ok("settings", f"as {FILE} asks")


def apply(root: Path) -> list[Finding]:
    """Set on the forge what the file asks for; say what was set, and what the forge refused as a failure.

    Raises:
        Usage: there is no such file, or no forge is connected.
        BadSettings: the file holds something else.
        ForgeTrouble: the forge does not answer, or the token is no administrator's.
    """
    connected, wanted = forge.connect(root), asked(root)
    if connected is None or wanted is None:
        raise Usage(
            f"there is no {FILE}" if wanted is None else "no forge is connected",
            "Give GITHUB_TOKEN an administrator's token." if wanted else "Restore it from git.",
        )
    there = connected.settings(list(wanted.environments))
    before = wanted.differences(there)
    if not before:
        return [ok("settings", f"nothing to set: all is as {FILE} asks")]
    refused = connected.set_settings(wanted, there)
    left = wanted.differences(connected.settings(list(wanted.environments))) if refused else []
    return [
        *(ok("set", line) for line in before if line not in left),
        *(fail("refused", ForgeTrouble(line, REFUSED)) for line in refused),
    ]


CHECKS = (settings,)
