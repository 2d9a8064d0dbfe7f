"""Fetches and builds what the slow tests need, so that none waits for a compiler while another one counts its seconds.

    python -m tests.tooling.prepare

What cannot be had is said, and no failure here: the test that needs it says so again, with its own consequence.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.tooling import compose, kubernetes_build, provider
from tests.tooling.docker import Unavailable, base_image, engine
from tools import need


def images() -> None:
    """Make what needs an engine: the base image, and the one that holds a pod's addresses."""
    with engine() as docker:
        base_image(docker)
        kubernetes_build.pause(docker)


def providers() -> None:
    """Have every provider of Terraform."""
    with tempfile.TemporaryDirectory() as scratch:
        provider.settings(Path(scratch), *provider.PROVIDERS)


STEPS: dict[str, Callable[[], object]] = {
    **{name: partial(need.find, name) for name in need.TOOLS},
    "Terraform's providers": providers,
    **{name: partial(compose.program, name) for name in compose.PROGRAMS},
    "Kubernetes' programs": kubernetes_build.programs,
    "images": images,
}


def main() -> None:
    """Take every step, and say how long it took."""
    for name, step in STEPS.items():
        start = time.monotonic()
        try:
            step()
        except (need.Missing, Unavailable) as reason:
            sys.stdout.write(f"{name}: {reason}\n")
        else:
            sys.stdout.write(f"{name}: ready, {time.monotonic() - start:.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
