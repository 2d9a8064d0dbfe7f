"""Which keys of params.yaml differ."""

from pathlib import Path
from typing import Any

import msgspec

from .. import config, objects
from .report import Change


def changed(base: Path | None, root: Path) -> list[Change]:
    """Give the keys of params.yaml that differ, with dots."""
    if base is None:
        return []
    sides = [_flat(objects.parse_yaml((folder / config.PARAMS).read_bytes())) for folder in (base, root)]
    return [
        Change(name=key, base=sides[0].get(key), candidate=sides[1].get(key))
        for key in dict.fromkeys([*sides[0], *sides[1]])
        if sides[0].get(key) != sides[1].get(key)
    ]


def _flat(found: Any, before: str = "") -> dict[str, str]:
    if not isinstance(found, dict):
        return {before: msgspec.json.encode(found, enc_hook=str).decode().strip('"')}
    return {
        key: value
        for name, inner in found.items()
        for key, value in _flat(inner, f"{before}.{name}" if before else str(name)).items()
    }
