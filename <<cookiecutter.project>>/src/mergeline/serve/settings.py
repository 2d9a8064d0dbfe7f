"""What the environment sets of a server, read once at its start.

MERGELINE_TOKEN_HASHES        sha256 of each token that may ask, in hex, apart by commas or white space
MERGELINE_TOKEN_HASHES_FILE   a file of them, one a line; what follows a # is a comment
MERGELINE_OPEN                1: anybody may ask on an address that other machines reach; 0 (default): not
MERGELINE_CLOSED              pages that answer 404: metrics, docs (and /openapi.json with it)
MERGELINE_MAX_BYTES           of a body; 10485760
MERGELINE_MAX_ROWS            of a request; 10000
MERGELINE_MAX_COLUMNS         of a row, beside those of the model; 1000
MERGELINE_MAX_REQUESTS        for predictions, accepted by a worker and not answered, beyond it 503; 64
MERGELINE_MAX_CONNECTIONS     of a worker, beyond it 503 and closed; 2000
MERGELINE_HEAD_SECONDS        for the head of a request to arrive; 10
MERGELINE_BODY_SECONDS        for its body, beyond it 408; 30
MERGELINE_METRICS             the folder in which the workers of one server add up what they count; else each alone
MERGELINE_PREDICTION_LOG      the folder that gets what was answered, as JSON lines, or - for standard output, as in a
                              container; without it there is no log
MERGELINE_PREDICTION_LOG_BYTES  that the folder's files may take; then the oldest goes; 1073741824
MERGELINE_LOG_KEY             by which sensitive values are hashed, 16 characters or more; without it each start makes one
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..errors import BadSettings
from .wire import MAX_BYTES, MAX_COLUMNS, MAX_ROWS

PAGES = {"metrics": ("/metrics",), "docs": ("/docs", "/openapi.json")}
"""What can be closed, and the paths that go with it."""
COUNTS = ("max_bytes", "max_rows", "max_columns", "max_requests", "max_connections", "head_seconds", "body_seconds")
LARGEST = 2**31 - 1
LEAST_LOG_BYTES, MOST_LOG_BYTES = 2**24, 2**50
LOG_KEY, LEAST_KEY = "MERGELINE_LOG_KEY", 16
REMEDY = "Correct the variable and start the server again."


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The table above; `token_hashes` are digests of 32 bytes, from both places."""

    token_hashes: tuple[bytes, ...] = ()
    open: bool = False
    closed: frozenset[str] = frozenset()
    max_bytes: int = MAX_BYTES
    max_rows: int = MAX_ROWS
    max_columns: int = MAX_COLUMNS
    max_requests: int = 64
    max_connections: int = 2_000
    head_seconds: int = 10
    body_seconds: int = 30
    metrics: str = ""
    prediction_log: str = ""
    prediction_log_bytes: int = 2**30
    log_key: str = ""


DEFAULTS = Settings()


def read(environ: Mapping[str, str]) -> Settings:
    """Read the variables. Raises BadSettings: a value is not what its line of the table says."""
    counts = {key: _count(f"MERGELINE_{key.upper()}", text) for key in COUNTS if (text := _text(environ, key))}
    shut = frozenset(_words(_text(environ, "closed")))
    if wrong := sorted(shut.difference(PAGES)):
        raise BadSettings(f"MERGELINE_CLOSED: {wrong[0]!r:.60} is none of {', '.join(PAGES)}", REMEDY)
    opened = _text(environ, "open") or "0"
    if opened not in ("0", "1"):
        raise BadSettings(f"MERGELINE_OPEN: {opened!r:.60} is neither 0 nor 1", REMEDY)
    if size := _text(environ, "prediction_log_bytes"):
        name = "MERGELINE_PREDICTION_LOG_BYTES"
        counts["prediction_log_bytes"] = _count(name, size, LEAST_LOG_BYTES, MOST_LOG_BYTES)
    key = _text(environ, "log_key")
    if 0 < len(key) < LEAST_KEY:
        raise BadSettings(f"{LOG_KEY}: {len(key)} characters are guessed too soon, take {LEAST_KEY}", REMEDY)
    return Settings(
        token_hashes=_hashes(environ),
        open=opened == "1",
        closed=shut,
        metrics=_text(environ, "metrics"),
        prediction_log=_text(environ, "prediction_log"),
        log_key=key,
        **counts,
    )


def _text(environ: Mapping[str, str], key: str) -> str:
    return environ.get(f"MERGELINE_{key.upper()}", "").strip()


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _count(name: str, text: str, least: int = 1, most: int = LARGEST) -> int:
    if not re.fullmatch("[0-9]{1,16}", text) or not least <= int(text) <= most:
        raise BadSettings(f"{name}: {text!r:.60} is no whole number from {least} to {most}", REMEDY)
    return int(text)


def _hashes(environ: Mapping[str, str]) -> tuple[bytes, ...]:
    found = [("MERGELINE_TOKEN_HASHES", word) for word in _words(_text(environ, "token_hashes"))]
    if path := _text(environ, "token_hashes_file"):
        name = "MERGELINE_TOKEN_HASHES_FILE"
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(f"{name}: {path} cannot be read: {error}", REMEDY) from error
        listed = [(f"{name}: {path}", word) for line in lines if (word := line.partition("#")[0].strip())]
        if not listed:
            raise BadSettings(f"{name}: {path} holds no hash", REMEDY)
        found += listed
    for where, word in found:
        if not re.fullmatch("[0-9a-fA-F]{64}", word):
            # Not the value: somebody may have put the token itself there, and this line goes to a log.
            raise BadSettings(f"{where}: a value of {len(word)} characters is no sha256 of 64 hex digits", REMEDY)
    return tuple(dict.fromkeys(bytes.fromhex(word) for _, word in found))
