"""GitHub's refusals as one line each, with what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import requests
from github import GithubException, RateLimitExceededException

from ..errors import ForgeTrouble

REMEDIES = {
    401: "The token is missing, wrong or expired: give GITHUB_TOKEN a valid one.",
    403: "Give the workflow's job the permission that this needs, or check the token's scopes; "
    "`model doctor` names what this repository does not allow.",
    404: "Check the name (GITHUB_REPOSITORY) and that the token may read this repository.",
    409: "Somebody else moved the same thing: pull, and run the command again.",
    422: "GitHub understood but does not take it as asked: correct it as the message says.",
    429: "GitHub's rate limit is used up: run the command again later.",
}
SILENT = "Check the network, GITHUB_API_URL and https://www.githubstatus.com, then run the command again."


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn every failure of PyGithub inside into ForgeTrouble; `doing` completes *GitHub would not …*."""
    try:
        yield
    except RateLimitExceededException as error:
        raise ForgeTrouble(
            f"GitHub would not {doing}: its rate limit is used up ({error.status})", _again(error)
        ) from error
    except GithubException as error:
        remedy = REMEDIES.get(error.status) or (SILENT if error.status >= 500 else ForgeTrouble.remedy)
        raise ForgeTrouble(f"GitHub would not {doing}: {error.status} {_message(error)}".rstrip(), remedy) from error
    except requests.RequestException as error:
        raise ForgeTrouble(f"GitHub gave no answer when asked to {doing} ({type(error).__name__})", SILENT) from error


def _message(error: GithubException) -> str:
    """Give GitHub's sentence and, of a 422, its first reason, on one line."""
    if not isinstance(error.data, dict):
        return ""
    said = [str(error.data.get("message") or "")]
    reasons = error.data.get("errors")
    if isinstance(reasons, list) and reasons:
        first = reasons[0]
        said.append(str(first.get("message") or first.get("code") or first) if isinstance(first, dict) else str(first))
    return " ".join(": ".join(part for part in said if part).split())[:300]


def _again(error: GithubException) -> str:
    reset = (error.headers or {}).get("x-ratelimit-reset", "")
    if not reset.isdigit():
        return REMEDIES[429]
    when = datetime.fromtimestamp(int(reset), UTC).strftime("%H:%M UTC")
    return f"Run the command again after {when}."
