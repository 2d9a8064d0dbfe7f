"""GitHub and GitHub Enterprise, through PyGithub."""

import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import requests
from github import Auth, Github, GithubException, UnknownObjectException
from github.GithubObject import NotSet
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.PullRequest import PullRequest as GitHubPullRequest
from urllib3.util import Retry

from . import Comment, PullRequest, Remark, State, Status, github_settings
from .settings import Settings
from .trouble import told

SECONDS = 15
# What a workflow's own token acts as; it may not ask who it is (403).
ACTIONS = "github-actions[bot]"
DESCRIPTION = 140
NEWEST = 2000
CHECKS = "required_status_checks"
MAINTAINERS = ("admin", "maintain")


class GitHub:
    """One repository on GitHub. Requests are tried three times at most, and only those that may be repeated."""

    def __init__(self, token: str, repository: str, api: str) -> None:
        self.repository = repository
        self._token = token
        self._client = Github(
            auth=Auth.Token(token),
            base_url=api.rstrip("/"),
            timeout=SECONDS,
            # PyGithub's own policy sleeps up to an hour on a rate limit.
            retry=Retry(
                total=2, backoff_factor=0.2, status_forcelist=(502, 503, 504), respect_retry_after_header=False
            ),
            per_page=100,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )
        self._repo = self._client.get_repo(repository)

    def pull_request(self, number: int) -> PullRequest:
        """Give one pull request."""
        with told(f"show pull request {number}"):
            return self._record(self._repo.get_pull(number))

    def pull_request_of(self, commit: str) -> PullRequest | None:
        """Give the merged pull request whose merge made `commit`, or None."""
        with told(f"say which pull request {commit[:12]} came from"):
            for pull in self._repo.get_commit(commit).get_pulls():
                found = self._record(pull)
                if found.merged and found.merge_commit == commit:
                    return found
        return None

    def open_pull_request(self, head: str, base: str, title: str, body: str) -> int:
        """Open a pull request from the branch `head`, or update the open one; give its number."""
        owner = self.repository.split("/")[0]
        with told(f"open a pull request from {head}"):
            for pull in self._repo.get_pulls(state="open", head=f"{owner}:{head}", base=base):
                pull.edit(title=title, body=body)
                return int(pull.number)
            return int(self._repo.create_pull(base=base, head=head, title=title, body=body).number)

    def merge_when_green(self, number: int) -> bool:
        """Let the forge merge it once its checks pass; false where the repository does not allow that."""
        with told(f"read pull request {number}"):
            pull = self._repo.get_pull(number)
        try:
            pull.enable_automerge(merge_method="MERGE")
        except GithubException:
            return False
        return True

    def approvals(self, number: int) -> list[str]:
        """Give who approves now: each reviewer's last word counts, sorted."""
        with told(f"list the reviews of pull request {number}"):
            words = {
                review.user.login: review.state
                for review in self._repo.get_pull(number).get_reviews()
                if review.user and review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
            }
        return sorted(who for who, word in words.items() if word == "APPROVED")

    def comment(self, number: int, marker: str, body: str) -> str:
        """Post or update the one comment of this actor that holds the hidden `marker`; give its URL."""
        with told(f"comment on pull request {number}"):
            issue = self._repo.get_issue(number)
            mine: IssueComment | None = self._own(issue.get_comments(), marker)
            if mine is None:
                return str(issue.create_comment(_marked(body, marker)).html_url)
            mine.edit(_marked(body, marker))
            return str(mine.html_url)

    def commented(self, number: int, marker: str) -> str | None:
        """Give the comment that a workflow's own token posted with `marker`, or None: anybody can write a marker."""
        with told(f"show the comments of pull request {number}"):
            for one in self._repo.get_issue(number).get_comments():
                if _hidden(marker) in (one.body or "") and one.user and one.user.login == ACTIONS:
                    return str(one.body)
        return None

    def comments(self, text: str) -> list[Comment]:
        """Give this actor's own comments of the whole repository that hold `text`, the one changed last first."""
        with told("list the comments of this repository"):
            newest = islice(self._repo.get_issues_comments(sort="updated", direction="desc"), NEWEST)
            return [
                Comment(number=int(one.issue_url.rsplit("/", 1)[1]), body=one.body) for one in self._mine(newest, text)
            ]

    def labelled(self, number: int, label: str) -> str | None:
        """Give who put a label on a pull request that it still has, or None."""
        with told(f"show the labels of pull request {number}"):
            issue = self._repo.get_issue(number)
            if label not in [one.name for one in issue.labels]:
                return None
            put = [
                one for one in issue.get_events() if one.event == "labeled" and one.label and one.label.name == label
            ]
            return str(put[-1].actor.login) if put and put[-1].actor else None

    def remarks(self, number: int, text: str) -> list[Remark]:
        """Give everybody's comments on a pull request that hold `text`, the oldest first."""
        with told(f"list the comments of pull request {number}"):
            found = [
                one for one in self._repo.get_issue(number).get_comments() if one.user and text in (one.body or "")
            ]
        return [Remark(author=one.user.login, body=one.body) for one in found]

    def maintains(self, login: str) -> bool:
        """Say whether somebody maintains or administers the repository."""
        with told(f"say what {login} may do"):
            try:
                return self._repo.get_collaborator_role_name(login) in MAINTAINERS
            except UnknownObjectException:
                return False

    def status(self, commit: str, context: str, state: State, description: str, url: str | None = None) -> None:
        """Set a commit's status; `description` is cut to what the forge takes."""
        text = description if len(description) <= DESCRIPTION else description[: DESCRIPTION - 1] + "…"
        with told(f"set the status {context} of {commit[:12]}"):
            self._repo.get_commit(commit).create_status(
                state, description=text, context=context, target_url=url or NotSet
            )

    def statuses(self, commit: str) -> list[Status]:
        """Give the newest status of every context, sorted by context."""
        with told(f"list the statuses of {commit[:12]}"):
            found = [
                Status(
                    context=s.context,
                    state=s.state,  # type: ignore[arg-type] # the API's enumeration is the same four words
                    description=s.description or "",
                    url=s.target_url,
                    created=s.created_at.isoformat(),
                )
                for s in self._repo.get_commit(commit).get_combined_status().statuses
            ]
        return sorted(found, key=lambda one: one.context)

    def artifact(self, workflow: str, job: str, head: str, head_repository: str, name: str, to: Path) -> bool:
        """Unpack the artifact `name` of the newest pull request run of `workflow` (`.github/workflows/train.yml`) for
        that head commit in that repository whose `job` succeeded; false where there is none.

        The run itself may go on: not every job of it decides something.
        """
        with told(f"find the artifact {name} of {head[:12]}"):
            runs = self._repo.get_workflow(Path(workflow).name).get_runs(event="pull_request", head_sha=head)
            for run in runs:
                # A fork can hold the same commit: the API's filter by commit is not enough.
                if run.head_sha != head or run.head_repository.full_name != head_repository:
                    continue
                if not str(run.path).split("@")[0].endswith(workflow):
                    continue
                if not any(done.name == job and done.conclusion == "success" for done in run.jobs()):
                    continue
                for artifact in run.get_artifacts():
                    if artifact.name == name and not artifact.expired:
                        self._unpack(artifact.archive_download_url, to)
                        return True
        return False

    def open_issue(self, title: str, body: str, marker: str) -> int:
        """Open an issue, or update the open one of this actor that holds the hidden `marker`; give its number."""
        with told(f"open the issue {title!r}"):
            mine: Issue | None = self._own(self._repo.get_issues(state="open"), marker)
            if mine is None:
                return int(self._repo.create_issue(title=title, body=_marked(body, marker)).number)
            mine.edit(title=title, body=_marked(body, marker))
            return int(mine.number)

    def close_issue(self, marker: str, words: str) -> int | None:
        """Close the open issue of this actor that holds the hidden `marker`, with a last comment; None where none is."""
        with told("close an issue"):
            mine: Issue | None = self._own(self._repo.get_issues(state="open"), marker)
            if mine is None:
                return None
            mine.create_comment(words)
            mine.edit(state="closed")
            return int(mine.number)

    def release_assets(self, tag: str, files: Sequence[Path], commit: str | None = None) -> str:
        """Make the release `tag` (at `commit`) where it is not there, attach the files that it lacks; give its URL."""
        with told(f"publish the release {tag}"):
            try:
                release = self._repo.get_release(tag)
            except UnknownObjectException:
                release = self._repo.create_git_release(tag, name=tag, message="", target_commitish=commit or NotSet)
            there = {asset.name for asset in release.get_assets()}
            for file in files:
                if file.name not in there:
                    release.upload_asset(str(file), content_type="application/octet-stream")
            return str(release.html_url)

    def release_asset(self, tag: str, name: str, to: Path) -> bool:
        """Write one file of a release to the path `to`; false where release or file are not there."""
        with told(f"give {name} of the release {tag}"):
            try:
                release = self._repo.get_release(tag)
            except UnknownObjectException:
                return False
            for asset in release.get_assets():
                if asset.name == name:
                    self._download(asset.url, to)
                    return True
        return False

    def settings(self, environments: list[str]) -> Settings:
        """Give what is set for main, for these environments, and for Actions; an administrator's token is told all."""
        with told("show its settings"):
            return github_settings.read(self._call, environments)

    def set_settings(self, wanted: Settings, there: Settings) -> list[str]:
        """Set what is not there; say in a line each what was refused, as a plan does that lacks something."""
        with told("change its settings"):
            return github_settings.write(self._call, wanted, there, lambda name: int(self._client.get_user(name).id))

    def protected(self, branch: str) -> bool:
        """Say whether the branch has rules that a direct push must pass."""
        with told(f"say whether {branch} is protected"):
            return bool(self._repo.get_branch(branch).protected)

    def required_checks(self, branch: str) -> list[str]:
        """Give the names of the checks without which nothing is merged into the branch, sorted."""
        with told(f"say which checks {branch} requires"):
            rules = self._get(f"rules/branches/{branch}")
            found = [rule["parameters"]["required_status_checks"] for rule in rules if rule["type"] == CHECKS]
            classic = self._get(f"branches/{branch}").get("protection", {}).get(CHECKS, {})
            return sorted({check["context"] for checks in found for check in checks} | {*classic.get("contexts", ())})

    def actions_may_open_pull_requests(self) -> bool:
        """Say whether a workflow's own token may open pull requests; only an administrator's token is told."""
        with told("say whether Actions may open pull requests"):
            return bool(self._get("actions/permissions/workflow")["can_approve_pull_request_reviews"])

    def variable(self, name: str) -> str | None:
        """Give a variable of the workflows, or None where it is not set."""
        with told(f"show the variable {name}"):
            try:
                return str(self._get(f"actions/variables/{name}")["value"])
            except UnknownObjectException:
                return None

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable of the workflows; it takes an administrator's token."""
        body = {"name": name, "value": value}
        how = ("POST", "actions/variables") if self.variable(name) is None else ("PATCH", f"actions/variables/{name}")
        with told(f"set the variable {name}"):
            self._call(*how, body)

    def private(self) -> bool:
        """Say whether the repository is private."""
        with told("say whether this repository is private"):
            return bool(self._get("")["private"])

    def _get(self, path: str) -> Any:
        return self._call("GET", path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        where = f"/repos/{self.repository}/{path}".rstrip("/")
        return self._client.requester.requestJsonAndCheck(method, where, input=body)[1]

    def _record(self, pull: GitHubPullRequest) -> PullRequest:
        source = pull.head.repo
        return PullRequest(
            number=pull.number,
            title=pull.title,
            author=pull.user.login,
            url=pull.html_url,
            open=pull.state == "open",
            merged=pull.merged_at is not None,
            merge_commit=pull.merge_commit_sha if pull.merged_at is not None else None,
            head=pull.head.sha,
            head_branch=pull.head.ref,
            head_repository=source.full_name if source else None,
            base=pull.base.sha,
            base_branch=pull.base.ref,
            repository=self.repository,
        )

    def _own(self, found: Iterable[Any], marker: str) -> Any | None:
        """Give the first that holds the marker and is this actor's own."""
        return next(iter(self._mine(found, _hidden(marker))), None)

    def _mine(self, found: Iterable[Any], text: str) -> list[Any]:
        """Give those that hold the text and are this actor's own: anybody can write a marker."""
        holding = [one for one in found if text in (one.body or "")]
        if not holding:
            return []
        login = self._login()
        return [one for one in holding if one.user and one.user.login == login]

    def _login(self) -> str:
        try:
            return str(self._client.get_user().login)
        except GithubException as error:
            if error.status == requests.codes.forbidden:
                return ACTIONS
            raise

    def _unpack(self, url: str, to: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "artifact.zip"
            self._download(url, archive)
            to.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(archive) as content:
                content.extractall(to)  # strips absolute paths and "..", makes no links

    def _download(self, url: str, to: Path) -> None:
        """Write what `url` gives to `to`, whole or not at all; a redirect to the storage host carries no token."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/octet-stream"}
        part = to.with_name(f".{to.name}.part")
        with requests.get(url, headers=headers, timeout=SECONDS, stream=True) as answer:
            if not answer.ok:
                raise GithubException(answer.status_code, None, dict(answer.headers), None)
            with part.open("wb") as file:
                for block in answer.iter_content(1_048_576):
                    file.write(block)
        part.replace(to)


def _hidden(marker: str) -> str:
    return marker if marker.startswith("<!--") else f"<!-- mergeline: {marker} -->"


def _marked(body: str, marker: str) -> str:
    return body if _hidden(marker) in body else f"{_hidden(marker)}\n{body}"
