"""Everything that can go wrong, one class each: what happened, what to do, which exit code.

The command line prints `message` and `remedy` on one line and exits with `code`;
a traceback appears only with --traceback.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar


class MergelineError(Exception):
    """Base of all expected failures. A message says what and where; `remedy` says what to do."""

    code: ClassVar[int] = 1
    remedy: str = ""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__().rstrip(".")
        return f"{message}. {self.remedy}".rstrip() if self.remedy else f"{message}."


class Usage(MergelineError):
    """The command's words are off."""

    code = 2
    remedy = "See `model --help`."


class GateFailed(MergelineError):
    """The candidate breaks a rule of gates.yaml."""

    code = 3
    remedy = "Improve the model, or let a maintainer lift the gate (docs/gates.md)."


class DegenerateRows(MergelineError):
    """The held-out rows cannot support the metric."""

    code = 4
    remedy = "Hold out more rows in params.yaml (split.held_out_days or split.share)."


class BadData(MergelineError):
    """Raw rows are missing, unreadable, or not what src/model/schema.py says."""

    code = 5
    remedy = "Mend the data, or change src/model/schema.py."


class BadSettings(MergelineError):
    """params.yaml or gates.yaml holds an unknown key, a wrong type or an impossible value."""

    code = 6
    remedy = "Correct the file and run the command again."


class BrokenCode(MergelineError):
    """A file of src/model cannot be imported, or raises what no row and no setting explains."""

    code = 6
    remedy = "Mend the file and run the command again; `model --traceback VERB` shows all of it."


class Integrity(MergelineError):
    """A bundle, release or pin does not match its hash."""

    code = 7
    remedy = "Restore the file from git or build the release again; nothing was changed."


class RepositoryTrouble(MergelineError):
    """git, the DVC cache or the DVC remote is not in the state that the command needs."""

    code = 8
    remedy = "Run `model doctor`."


class ForgeTrouble(MergelineError):
    """The forge refused, or did not answer."""

    code = 9
    remedy = "Check the token's permissions and the forge's status, then run the command again."


class ToolMissing(MergelineError):
    """A program that the command calls is not on this machine."""

    code = 10
    remedy = "Install it and run the command again; `model doctor` lists what is missing."


class Conflict(MergelineError):
    """Somebody else moved the same thing at the same time, or a port or folder is taken."""

    code = 11
    remedy = "Wait for the other command to end, pull, and try again."


class NotServable(MergelineError):
    """The pipeline does not convert to ONNX, the bundle answers otherwise than training did, or it is too large."""

    code = 7
    remedy = "Change src/model/estimator.py."


class DeploymentFailed(MergelineError):
    """A release did not come up, or did not answer as it was tested; what ran before runs on."""

    code = 12
    remedy = "Read the log, mend the release or roll the pin back (`model rollback ENV`)."


@contextmanager
def your_code(file: str) -> Iterator[None]:
    """Let what `src/model/<file>` raises become BrokenCode with file and line; errors of the loop pass."""
    try:
        yield
    except MergelineError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        places = [(frame.filename, frame.lineno) for frame in frames]
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno))
        here = [(Path(name).name, line) for name, line in places if Path(name).parts[-3:-1] == ("src", "model")]
        name, line = here[-1] if here else (file, None)
        reason = " ".join(f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}".split())
        raise BrokenCode(f"src/model/{name}{f', line {line}' if line else ''}: {reason:.300}") from error
