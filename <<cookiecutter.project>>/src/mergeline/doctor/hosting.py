"""The forge: which case of the loop holds there. Every answer needs a token; some only an administrator gets."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from .. import forge
from ..errors import ForgeTrouble
from ..forge import Forge
from .finding import Finding, ok, warn

REQUIRED = ("check-pass", "verdict-pass")
T = TypeVar("T")


def hosting(root: Path) -> Iterator[Finding]:
    """All that is asked of the forge."""
    connected = forge.connect(root)
    if connected is None:
        yield ok(
            "not asked",
            "there is no GITHUB_TOKEN, or no repository on a forge; with both this says whether main is protected, "
            "which checks it requires, whether Actions may open pull requests, and whether an App opens them",
        )
        return
    try:
        protected = connected.protected("main")
    except ForgeTrouble as error:
        yield Finding(level="fail", what="forge", says=Exception.__str__(error), remedy=error.remedy, code=error.code)
        return
    yield ok("repository", connected.repository)
    yield from _releases(connected, protected)
    yield from _checks(connected, protected)


def _releases(connected: Forge, protected: bool) -> Iterator[Finding]:
    if not protected:
        yield ok("main", "not protected: a merge pushes the release to main directly")
        yield from _plan(connected)
        return
    yield ok("main", "protected: a merge opens one release pull request")
    app = _asked(lambda: connected.variable("APP_ID"))
    if isinstance(app, str):
        yield ok("app", "an App opens it, so its checks start and it can merge by itself")
        return
    if isinstance(app, ForgeTrouble):
        yield warn("app", "this token may not see whether APP_ID is set", "Ask with an administrator's token.")
    else:
        yield warn(
            "app",
            "no App: the release pull request's checks wait until a person chooses 'Approve and run'",
            "For less work set the variable APP_ID and the secret APP_PRIVATE_KEY of a GitHub App.",
        )
    allowed = _asked(connected.actions_may_open_pull_requests)
    if isinstance(allowed, ForgeTrouble):
        yield warn(
            "pull requests",
            "this token may not see whether Actions may open pull requests",
            "Ask with an administrator's token, or look in Settings, Actions, General.",
        )
    elif allowed:
        yield ok("pull requests", "Actions may open them")
    else:
        yield warn(
            "pull requests",
            "Actions may not open them: a release ends with a link that a person follows",
            "Allow it in Settings, Actions, General, or use an App.",
        )


def _checks(connected: Forge, protected: bool) -> Iterator[Finding]:
    remedy = "Add a rule for main that requires check-pass and verdict-pass."
    found = _asked(lambda: connected.required_checks("main"))
    if isinstance(found, ForgeTrouble):
        yield warn("required checks", f"not known: {Exception.__str__(found)}", remedy)
        return
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        words = "does not require" if protected else "is not protected and requires not even"
        yield warn("required checks", f"main {words} {' and '.join(missing)}: what fails them can be merged", remedy)
    else:
        yield ok("required checks", "check-pass and verdict-pass")


def _plan(connected: Forge) -> Iterator[Finding]:
    if _asked(connected.private) is True:
        yield warn(
            "plan",
            "a private repository on a free plan has no enforced rules, environments or attestations",
            "Approval is then by agreement; a paid plan or a public repository enforces it.",
        )


def _asked(question: Callable[[], T]) -> T | ForgeTrouble:
    try:
        return question()
    except ForgeTrouble as error:
        return error


CHECKS = (hosting,)
