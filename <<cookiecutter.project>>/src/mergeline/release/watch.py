"""Watch a new release after its smoke test: one that came up well may still fail a minute later."""

import time
from pathlib import Path

from ..errors import DeploymentFailed
from ..progress import step
from . import smoke
from .manifest import Release

PAUSE = 5.0
PATIENCE = 10.0
"""Seconds that an answer may take, or be missing, before the release has failed."""


def run(url: str, folder: Path, release: Release, minutes: float) -> None:
    """Repeat the smoke test until the time is over.

    Args:
        url: of the server.
        folder: the release's verified bundle.
        release: the one that must answer.
        minutes: how long.

    Raises:
        DeploymentFailed: another release answers, none does, or a score is off.
    """
    began = time.monotonic()
    with step(f"watch {release.id[:12]} at {url} for {minutes:g} min"):
        while (left := began + 60 * minutes - time.monotonic()) > 0:
            try:
                smoke.check(url, folder, release, wait=PATIENCE)
            except DeploymentFailed as error:
                lasted = time.monotonic() - began
                raise DeploymentFailed(f"it passed its smoke test, and {lasted:.0f} s later {error.args[0]}") from error
            time.sleep(min(PAUSE, left))
