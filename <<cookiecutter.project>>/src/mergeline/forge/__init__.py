"""Pull requests, comments, statuses and artifacts: one protocol, one file per forge with the same functions.

Nothing else knows which forge a repository lives on. `connect` gives None where there is none: then a command
does its local part and says so.
"""

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from .. import repo
from ..errors import RepositoryTrouble
from .settings import Settings

State = Literal["error", "failure", "pending", "success"]


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request as the forge tells it, never as its own branch does."""

    number: int
    title: str
    author: str
    url: str
    open: bool
    merged: bool
    merge_commit: str | None
    head: str
    head_branch: str
    head_repository: str | None
    base: str
    base_branch: str
    repository: str

    @property
    def fork(self) -> bool:
        """Whether the head is not in the repository itself; a deleted fork (null) counts as one."""
        return self.head_repository != self.repository


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The newest status of one context on a commit; `created` is UTC, ISO 8601."""

    context: str
    state: State
    description: str
    url: str | None
    created: str


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote on a pull request."""

    author: str
    body: str


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment on the pull request or issue of that number."""

    number: int
    body: str


class Forge(Protocol):
    """What the loop asks of a forge. Every function raises ForgeTrouble where the forge refuses or is silent."""

    repository: str

    def pull_request(self, number: int) -> PullRequest:
        """Give one pull request."""

    def pull_request_of(self, commit: str) -> PullRequest | None:
        """Give the merged pull request whose merge made `commit`, or None."""

    def open_pull_request(self, head: str, base: str, title: str, body: str) -> int:
        """Open a pull request from the branch `head`, or update the open one; give its number."""

    def merge_when_green(self, number: int) -> bool:
        """Let the forge merge it once its checks pass; false where the repository does not allow that."""

    def approvals(self, number: int) -> list[str]:
        """Give who approves now: each reviewer's last word counts, sorted."""

    def comment(self, number: int, marker: str, body: str) -> str:
        """Post or update the one comment of this actor that holds `marker`; give its URL.

        The marker is hidden in the body: as it is when it is an HTML comment, else in one.
        """

    def commented(self, number: int, marker: str) -> str | None:
        """Give the comment that a workflow's own token posted with `marker`, or None: anybody can write a marker."""

    def comments(self, text: str) -> list[Comment]:
        """Give this actor's own comments of the whole repository that hold `text`, the one changed last first.

        Only the newest few thousand comments of the repository are looked at.
        """

    def labelled(self, number: int, label: str) -> str | None:
        """Give who put a label on a pull request that it still has, or None."""

    def remarks(self, number: int, text: str) -> list[Remark]:
        """Give everybody's comments on a pull request that hold `text`, the oldest first."""

    def maintains(self, login: str) -> bool:
        """Say whether somebody maintains or administers the repository."""

    def status(self, commit: str, context: str, state: State, description: str, url: str | None = None) -> None:
        """Set a commit's status; `description` is cut to what the forge takes."""

    def statuses(self, commit: str) -> list[Status]:
        """Give the newest status of every context, sorted by context."""

    def artifact(self, workflow: str, job: str, head: str, head_repository: str, name: str, to: Path) -> bool:
        """Unpack the artifact `name` of the newest pull request run of `workflow` (`.github/workflows/train.yml`) for
        that head commit in that repository whose `job` succeeded; false where there is none.
        """

    def open_issue(self, title: str, body: str, marker: str) -> int:
        """Open an issue, or update the open one of this actor that holds the hidden `marker`; give its number."""

    def close_issue(self, marker: str, words: str) -> int | None:
        """Close the open issue of this actor that holds the hidden `marker`, with a last comment; None where none is."""

    def release_assets(self, tag: str, files: Sequence[Path], commit: str | None = None) -> str:
        """Make the release `tag` (at `commit`) where it is not there, attach the files that it lacks; give its URL."""

    def release_asset(self, tag: str, name: str, to: Path) -> bool:
        """Write one file of a release to the path `to`; false where release or file are not there."""

    def settings(self, environments: list[str]) -> Settings:
        """Give what is set for main, for these environments, and for Actions; an administrator's token is told all."""

    def set_settings(self, wanted: Settings, there: Settings) -> list[str]:
        """Set what is not there; say in a line each what was refused, as a plan does that lacks something."""

    def protected(self, branch: str) -> bool:
        """Say whether the branch has rules that a direct push must pass."""

    def required_checks(self, branch: str) -> list[str]:
        """Give the names of the checks without which nothing is merged into the branch, sorted."""

    def actions_may_open_pull_requests(self) -> bool:
        """Say whether a workflow's own token may open pull requests; only an administrator's token is told."""

    def variable(self, name: str) -> str | None:
        """Give a variable of the workflows, or None where it is not set."""

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable of the workflows; it takes an administrator's token."""

    def private(self) -> bool:
        """Say whether the repository is private."""


def connect(root: Path) -> Forge | None:
    """Give the forge of this repository, or None without a token (GITHUB_TOKEN) or a repository there.

    Args:
        root: the project's folder; its remote `origin` names the repository where GITHUB_REPOSITORY does not.
    """
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    repository = os.environ.get("GITHUB_REPOSITORY") or _origin(root)
    if not token or not repository:
        return None
    from .github import GitHub

    return GitHub(token, repository, os.environ.get("GITHUB_API_URL", "https://api.github.com"))


def credentials() -> dict[str, str]:
    """Give the variables with which git acts as the owner of a workflow's token; none outside a workflow.

    The checkout keeps no token, so that only the commands that push have one.
    """
    token = os.environ.get("GITHUB_TOKEN")
    if not token or not os.environ.get("GITHUB_ACTIONS"):
        return {}
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _origin(root: Path) -> str | None:
    try:
        url = repo.git(root, "remote", "get-url", "origin")
    except RepositoryTrouble:
        return None
    path = url.removesuffix(".git").rstrip("/")
    for start in ("https://github.com/", "git@github.com:", "ssh://git@github.com/"):
        if path.startswith(start):
            return path.removeprefix(start)
    return None
