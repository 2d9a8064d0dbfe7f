"""params.yaml with other numbers in it and every other character as it was, so that a reviewer sees the numbers alone."""

from pathlib import Path

import yaml

from .. import files
from ..config import PARAMS
from ..errors import BadSettings
from .ladder import Setting


def write(root: Path, changes: Setting) -> None:
    """Change numbers of the section `model`. Raises BadSettings where they do not stand in the file."""
    path = root / PARAMS
    files.write(path, changed(path.read_bytes().decode(), changes).encode())


def changed(text: str, changes: Setting) -> str:
    """Give the text of params.yaml with other numbers in its section `model`.

    Raises:
        BadSettings: a key does not stand there itself, but comes from an anchor.

    >>> changed("model:  # the recipe\\n  iterations: 100  # rounds\\n", {"iterations": 50})
    'model:  # the recipe\\n  iterations: 50  # rounds\\n'
    """
    places = _scalars(_section(yaml.compose(text, Loader=yaml.SafeLoader)))
    for name in changes:
        if name not in places or not text.startswith(places[name].value, places[name].start_mark.index):
            raise BadSettings(f"params.yaml: model.{name} does not stand in the section itself", "Change it by hand.")
    for name, place in sorted(places.items(), key=lambda found: -found[1].start_mark.index):
        if name in changes:
            text = text[: place.start_mark.index] + str(changes[name]) + text[place.end_mark.index :]
    return text


def _section(document: yaml.Node | None) -> yaml.Node | None:
    """Give the section `model` where it stands under its own key: an alias has the place of what it repeats."""
    pairs = document.value if isinstance(document, yaml.MappingNode) else []
    found = ((key, value) for key, value in pairs if key.value == "model")
    return next((value for key, value in found if value.start_mark.index > key.start_mark.index), None)


def _scalars(section: yaml.Node | None) -> dict[str, yaml.ScalarNode]:
    pairs = section.value if isinstance(section, yaml.MappingNode) else []
    return {key.value: value for key, value in pairs if isinstance(value, yaml.ScalarNode)}
