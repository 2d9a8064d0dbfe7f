"""What a check found: how bad, in which words, and what to do about it."""

from typing import Literal

import msgspec

from ..errors import MergelineError

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `code` is the exit code of a failure, 0 else."""

    level: Level
    what: str
    says: str
    remedy: str = ""
    code: int = 0


def ok(what: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(level="ok", what=what, says=says)


def warn(what: str, says: str, remedy: str) -> Finding:
    """Something that a person may want to know or change; nothing that was asked for breaks."""
    return Finding(level="warn", what=what, says=says, remedy=remedy)


def fail(what: str, error: MergelineError) -> Finding:
    """Something that makes the loop stop, with the error that it would stop with."""
    said = Exception.__str__(error)
    return Finding(level="fail", what=what, says=said, remedy=error.remedy, code=error.code)
