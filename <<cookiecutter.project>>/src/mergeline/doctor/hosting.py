"""The forge: which case of the loop holds there. Every answer needs a token; some only an administrator gets."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from .. import forge
from ..errors import ForgeTrouble
from ..forge import Forge
from .finding import Finding, fail, ok, warn

REQUIRED = ("check-pass", "verdict-pass")
APP = "APP_ID"
# A variable of the workflows: what follows when it is set, and when it is not.
VARIABLES = {
    "REGISTRY": ("each release has an image in that registry", "a release has no image"),
    "MLFLOW_TRACKING_URI": ("trainings are kept in that server", "trainings of the workflows are kept in no MLflow"),
    "DEPLOY_RUNNER": ("deployments run, and stay, on that runner", "a deployment is a rehearsal on a hosted runner"),
}
T = TypeVar("T")


def hosting(root: Path) -> Iterator[Finding]:
    """All that is asked of the forge."""
    connected = forge.connect(root)
    if connected is None:
        yield ok(
            "not asked",
            "there is no GITHUB_TOKEN, or no repository on a forge; with both this says whether main is protected, "
            "which checks it requires, whether Actions may open pull requests, whether an App opens them, what the "
            "account's plan may lack, and which variables are set",
        )
        return
    try:
        protected = connected.protected("main")
    except ForgeTrouble as error:
        yield fail("forge", error)
        return
    yield ok("repository", connected.repository)
    if protected:
        yield ok("main", "protected: a merge opens one release pull request, and so does a promotion")
    else:
        yield ok("main", "not protected: a merge pushes the release to main directly; a promotion is a pull request")
    variables = _asked(lambda: {name: connected.variable(name) for name in (APP, *VARIABLES)})
    app = isinstance(variables, dict) and bool(variables[APP])
    yield from _settings(variables)
    yield _actions(connected, app)
    yield _checks(connected, protected)
    yield _plan(connected)


def _settings(variables: dict[str, str | None] | ForgeTrouble) -> Iterator[Finding]:
    if isinstance(variables, ForgeTrouble):
        yield _unknown("variables", variables)
        return
    if variables[APP]:
        yield ok("app", "an App opens release and promotion pull requests, so their checks start")
    else:
        yield warn(
            "app",
            "no App: the checks of release and promotion pull requests wait until a person chooses 'Approve and run'",
            f"For less work set the variable {APP} and the secret APP_PRIVATE_KEY of a GitHub App.",
        )
    for name, (with_it, without) in VARIABLES.items():
        yield ok(name, f"set: {with_it}" if variables[name] else f"not set: {without}")


def _actions(connected: Forge, app: bool) -> Finding:
    """A workflow's own token opens the rollback of a failed deployment, and all the others where no App does."""
    allowed = _asked(connected.actions_may_open_pull_requests)
    if isinstance(allowed, ForgeTrouble):
        return _unknown("pull requests", allowed)
    if allowed:
        return ok("pull requests", "Actions may open them")
    which = "the rollback of a failed deployment ends" if app else "a release, promotion or rollback ends"
    return warn(
        "pull requests",
        f"Actions may not open them: {which} with a link that a person follows",
        "Allow it in Settings, Actions, General.",
    )


def _checks(connected: Forge, protected: bool) -> Finding:
    found = _asked(lambda: connected.required_checks("main"))
    if isinstance(found, ForgeTrouble):
        return _unknown("required checks", found)
    missing = [name for name in REQUIRED if name not in found]
    if not missing:
        return ok("required checks", "check-pass and verdict-pass")
    words = "does not require" if protected else "is not protected and requires not even"
    return warn(
        "required checks",
        f"main {words} {' and '.join(missing)}: what fails them can be merged",
        "Add a rule for main that requires check-pass and verdict-pass.",
    )


def _plan(connected: Forge) -> Finding:
    private = _asked(connected.private)
    if isinstance(private, ForgeTrouble):
        return _unknown("plan", private)
    if not private:
        return ok("plan", "a public repository: rules, environments and attestations are on every plan")
    return warn(
        "plan",
        "a private repository: a free plan has no environments and enforces no rules, and only an enterprise plan "
        "has attestations",
        "Where yours lacks them, approval is by agreement; a paid plan or a public repository enforces it.",
    )


def _unknown(what: str, trouble: ForgeTrouble) -> Finding:
    said = Exception.__str__(trouble)
    return warn(what, f"not known: {said}", "Ask with an administrator's token, or look in the repository's Settings.")


def _asked(question: Callable[[], T]) -> T | ForgeTrouble:
    try:
        return question()
    except ForgeTrouble as error:
        return error


CHECKS = (hosting,)
