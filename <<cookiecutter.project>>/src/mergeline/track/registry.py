"""Releases as versions of a registered model, and the environments' aliases, which follow the pins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from .server import client, find, library, nowhere, or_say


class Model(Protocol):
    """The part of a release that says which model it is."""

    @property
    def name(self) -> str:
        """The model's name, also in the registry."""

    @property
    def bundle_id(self) -> str:
        """By which its run is found."""


class Released(Protocol):
    """What tracking needs to know of a release."""

    @property
    def id(self) -> str:
        """The release's id."""

    @property
    def model(self) -> Model:
        """Its model."""


def register(root: Path, release: Released) -> str:
    """Make the release's model a version in the registry, tagged with the release's id; idempotent."""
    return or_say(root, lambda: _register(root, release)[1])


def aliases(root: Path, pinned: Mapping[str, Released | None]) -> str:
    """Set each environment's alias to the version of the release that its pin names, and drop those of empty pins.

    The pins decide: an alias that somebody moved by hand is moved back. A release that is not registered yet is
    registered first.

    Args:
        root: the project's folder.
        pinned: each environment's release, None where none is pinned.
    """
    if reason := nowhere():
        return f"no aliases set: {reason}"
    models = sorted({release.model.name for release in pinned.values() if release})

    def set_all() -> str:
        return "\n".join(
            _point(root, name, release) if release else _drop(root, name, models) for name, release in pinned.items()
        )

    return or_say(root, set_all)


def differing(root: Path, pinned: Mapping[str, Released | None]) -> list[str]:
    """Say which aliases are not as the pins say, a line each; a release that was never tracked has none to differ.

    Args:
        root: the project's folder.
        pinned: each environment's release, None where none is pinned.
    """
    if nowhere():
        return []
    models = sorted({release.model.name for release in pinned.values() if release})

    def compare() -> str:
        here = {name: _aliases(root, name) for name in models}
        found = [_difference(root, environment, release, here) for environment, release in pinned.items()]
        return "\n".join(filter(None, found))

    return or_say(root, compare).splitlines()


def version_of(root: Path, name: str, run_id: str) -> str:
    """Give the version of the run's model, made when it is not there."""
    from mlflow.exceptions import MlflowException

    asked = client(root)
    try:
        asked.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = [v for v in asked.search_model_versions(f"name = '{name}'") if v.run_id == run_id]
    if found:
        return str(min(int(v.version) for v in found))
    mlflow = library(root)
    return str(mlflow.register_model(f"runs:/{run_id}/model", name).version)


def _register(root: Path, release: Released) -> tuple[str | None, str]:
    """Give the version and a sentence; no version where the bundle's training was never tracked."""
    name, bundle = release.model.name, release.model.bundle_id
    run_id = find(root, name, bundle)
    if run_id is None:
        return None, (
            f"bundle {bundle[:12]} of release {release.id[:12]} was never tracked here: "
            f"`model restore --release {release.id[:12]}`, then `model track`"
        )
    version = version_of(root, name, run_id)
    client(root).set_model_version_tag(name, version, "release", release.id)
    return version, f"release {release.id[:12]} is version {version} of {name}"


def _point(root: Path, environment: str, release: Released) -> str:
    version, said = _register(root, release)
    if version is None:
        return f"{environment}: {said}"
    if _aliases(root, release.model.name).get(environment) != version:
        client(root).set_registered_model_alias(release.model.name, environment, version)
    return f"{environment}: version {version} of {release.model.name}, release {release.id[:12]}"


def _drop(root: Path, environment: str, models: list[str]) -> str:
    for name in models:
        if environment in _aliases(root, name):
            client(root).delete_registered_model_alias(name, environment)
    return f"{environment}: nothing is pinned"


def _difference(
    root: Path, environment: str, release: Released | None, here: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Say in a line how an environment's alias differs from its pin; None where it does not."""
    if release is None:
        held = [name for name, found in here.items() if environment in found]
        return f"the alias {environment} of {held[0]} is set, and nothing is pinned" if held else None
    name = release.model.name
    run_id = find(root, name, release.model.bundle_id)
    if run_id is None:
        return None
    version = here[name].get(environment)
    if version is not None and client(root).get_model_version(name, version).run_id == run_id:
        return None
    return f"the alias {environment} of {name} names {f'version {version}' if version else 'nothing'}, not the release that is pinned"


def _aliases(root: Path, name: str) -> dict[str, str]:
    found = client(root).search_registered_models(f"name = '{name}'")
    return {alias: str(version) for one in found for alias, version in one.aliases.items()}
