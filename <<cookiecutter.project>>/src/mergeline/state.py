"""The state folder: what outlives a checkout. Bundles by their id, and what each local environment runs.

<state folder>/bundles/<bundle_id>/         the content-addressed store
<state folder>/environments/<env>/          terraform.tfstate, terraform/ (its plugins), run/ (the supervisor's)
"""

import contextlib
import json
import os
import tomllib
from pathlib import Path
from typing import Any

from .errors import RepositoryTrouble


def project(root: Path) -> str:
    """Give the project's name, which is the model's, from pyproject.toml. Raises RepositoryTrouble."""
    try:
        found = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise RepositoryTrouble("pyproject.toml names no project", "Restore the file from git.") from error
    return str(found)


def state_folder(name: str) -> Path:
    """Give the folder of the model `name`: below MERGELINE_STATE, else the user's state folder."""
    chosen = os.environ.get("MERGELINE_STATE")
    if chosen:
        return Path(chosen).absolute() / "mergeline" / name
    user = os.environ.get("XDG_STATE_HOME")
    return (Path(user) if user else Path.home() / ".local" / "state") / "mergeline" / name


def environment_folder(name: str, environment: str) -> Path:
    """Give the folder of one environment."""
    return state_folder(name) / "environments" / environment


def bundle_folder(name: str, bundle_id: str) -> Path:
    """Give where the store holds a bundle, whether it is there or not."""
    return state_folder(name) / "bundles" / bundle_id


def supervisor(folder: Path) -> dict[str, Any]:
    """Give what the supervisor that works in this run folder says about itself; empty where there is none."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return found
    return {}
