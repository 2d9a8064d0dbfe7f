"""What the environment tells a server, beside its bundle and its address.

MERGELINE_RELEASE             the release id that answers carry
MERGELINE_TOKEN_HASHES        the sha256 (hex) of each bearer token that is accepted, parted by spaces
MERGELINE_TOKEN_HASHES_FILE   a file of them, one a line; `#` begins a comment
MERGELINE_OPEN                1: anybody may ask, though others than this machine reach it
MERGELINE_CLOSED              paths that are not there, parted by spaces, such as /metrics
MERGELINE_CONCURRENCY         how many requests a process takes at once; the rest get 503 (64)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadSettings

RELEASE = "MERGELINE_RELEASE"
SHA256 = re.compile(r"[0-9a-f]{64}")
CLOSABLE = ("/metrics", "/schema")


@dataclass(frozen=True, slots=True)
class Settings:
    """What `read` finds; `token_hashes` are empty where no token is asked for."""

    release: str | None = None
    token_hashes: frozenset[bytes] = frozenset()
    open: bool = False
    closed: frozenset[str] = frozenset()
    concurrency: int = 64


def read(env: Mapping[str, str]) -> Settings:
    """Read the variables above. Raises BadSettings, which names the variable."""
    return Settings(
        release=env.get(RELEASE) or None,
        token_hashes=_hashes(env),
        open=_one_of(env, "MERGELINE_OPEN", ("", "0", "1")) == "1",
        closed=_closed(env),
        concurrency=_number(env, "MERGELINE_CONCURRENCY", 64),
    )


def _hashes(env: Mapping[str, str]) -> frozenset[bytes]:
    words = env.get("MERGELINE_TOKEN_HASHES", "").split()
    if file := env.get("MERGELINE_TOKEN_HASHES_FILE"):
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(
                f"MERGELINE_TOKEN_HASHES_FILE: {file} cannot be read: {error}", "Let the server's user read it."
            ) from error
        words += [word for line in lines for word in line.partition("#")[0].split()]
    for word in words:
        if not SHA256.fullmatch(word):
            raise BadSettings(
                f"MERGELINE_TOKEN_HASHES: {word[:8]!r}... is no sha256 in hex",
                "`model token` makes a token and its hash.",
            )
    return frozenset(map(bytes.fromhex, words))


def _closed(env: Mapping[str, str]) -> frozenset[str]:
    words = env.get("MERGELINE_CLOSED", "").split()
    if unknown := [word for word in words if word not in CLOSABLE]:
        raise BadSettings(f"MERGELINE_CLOSED: {unknown[0]!r:.60} cannot be closed", f"Name of: {' '.join(CLOSABLE)}.")
    return frozenset(words)


def _one_of(env: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    if (value := env.get(name, "")) not in known:
        raise BadSettings(f"{name} is {value!r:.60}", f"Set one of: {', '.join(filter(None, known))}.")
    return value


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 100_000:
        raise BadSettings(f"{name} is {value!r:.60}", "Set a whole number from 1 to 100000.")
    return int(value)
