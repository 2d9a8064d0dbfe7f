"""A GitHub of one repository on this machine: keeps state, serves git, checks every request and answer.

State: pull requests, reviews, comments, statuses, workflow runs with artifacts, releases, issues. Commits and
branches are those of a real bare repository, which is served over HTTP too, so a push shows its token.
What GitHub's description says about a request or an answer is checked; `wrong` collects what does not hold.
"""

import base64
import io
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from .specification import Json, load

NOW = "2026-01-01T00:00:00Z"
Known = TypeVar("Known")


@dataclass(frozen=True)
class Token:
    """Who acts, and whether it may write. An installation (workflow, App) may not ask who it is."""

    login: str
    write: bool = True
    installation: bool = True


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(f"{status} {message}")


PEOPLE = ("nobody", "ada", "grace")


@dataclass
class GitHubAPI:
    """The state, and one method per operation (`issues/create-comment` is `issues_create_comment`)."""

    repository: str
    origin: Path
    url: str = ""
    tokens: dict[str, Token] = field(default_factory=lambda: {"workflow-token": Token("github-actions[bot]")})
    pulls: dict[int, Json] = field(default_factory=dict)
    reviews: dict[int, list[Json]] = field(default_factory=dict)
    issues: dict[int, Json] = field(default_factory=dict)
    comments: list[Json] = field(default_factory=list)
    statuses: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    jobs: dict[int, list[Json]] = field(default_factory=dict)
    artifacts: list[Json] = field(default_factory=list)
    releases: dict[str, Json] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    required: dict[str, list[str]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    labels: dict[int, list[Json]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    rulesets: dict[int, Json] = field(default_factory=dict)
    environments: dict[str, Json] = field(default_factory=dict)
    may_open_pull_requests: bool = True
    may_merge_by_itself: bool = False
    private: bool = False
    fail: dict[str, tuple[int, Json]] = field(default_factory=dict)
    log: list[tuple[str, str, str, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _number: int = 0
    _files: dict[int, bytes] = field(default_factory=dict)

    # What a test does as a person or as GitHub itself.

    def git(self, *arguments: str) -> str:
        """Run git in the bare repository."""
        done = subprocess.run(["git", *arguments], cwd=self.origin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, rev: str) -> str:
        """Resolve a revision there."""
        return self.git("rev-parse", f"{rev}^{{commit}}")

    def open(self, head: str, base: str = "main", *, author: str = "ada", fork: str | None = None, **more: Any) -> int:
        """Open a pull request as a person; of a fork, `head` is a commit that the repository has by then."""
        number = self._next()
        self.pulls[number] = {
            "number": number, "head": head, "base": base, "user": author, "fork": fork, "title": f"Change {head}",
            "body": "", "state": "open", "merged_at": None, "merge_commit": None, **more,
        }  # fmt: skip
        return number

    def merge(self, number: int) -> str:
        """Merge a pull request with a merge commit; give the commit."""
        pull = self.pulls[number]
        base, head = self.commit(f"refs/heads/{pull['base']}"), self._head(pull)
        tree = self.git("merge-tree", "--write-tree", base, head).splitlines()[0]
        message = f"Merge pull request #{number} from {pull['head']}\n\n{pull['title']}"
        who = ["-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"]
        commit = self.git(*who, "commit-tree", tree, "-p", base, "-p", head, "-m", message)
        self.git("update-ref", f"refs/heads/{pull['base']}", commit, base)
        pull.update(state="closed", merged_at=NOW, merge_commit=commit, merged_head=head)
        return commit

    def review(self, number: int, login: str, state: str = "APPROVED") -> None:
        """Review a pull request as a person."""
        self.reviews.setdefault(number, []).append({"id": self._next(), "user": {"login": login}, "state": state})

    def label(self, number: int, name: str, *, by: str) -> None:
        """Put a label on a pull request as a person."""
        event = {"id": self._next(), "event": "labeled", "actor": {"login": by}, "label": {"name": name}}
        self.labels.setdefault(number, []).append(event)

    def say(self, number: int, body: str, *, by: str) -> None:
        """Comment on a pull request as a person."""
        self.comments.append({"id": self._next(), "issue": number, "user": {"login": by}, "body": body})

    def finish_run(
        self,
        workflow: str,
        head: str,
        repository: str | None = None,
        conclusion: str = "success",
        *,
        goes_on: bool = False,
    ) -> int:
        """Record a pull request run of a workflow whose required job came to a conclusion; give its id, for `upload`.

        `goes_on`: other jobs still run.
        """
        run = self._next()
        self.jobs[run] = [{"id": self._next(), "name": "train", "conclusion": "success"}, {
            "id": self._next(), "name": "verdict-pass", "conclusion": conclusion,
        }]  # fmt: skip
        self.runs.insert(0, {
            "id": run, "path": f".github/workflows/{workflow}", "head_sha": head, "event": "pull_request",
            "status": "in_progress" if goes_on else "completed", "conclusion": None if goes_on else conclusion,
            "jobs_url": f"{self.url}/repos/{self.repository}/actions/runs/{run}/jobs",
            "head_repository": {"full_name": repository or self.repository},
            "artifacts_url": f"{self.url}/repos/{self.repository}/actions/runs/{run}/artifacts",
        })  # fmt: skip
        return run

    def upload(self, run: int, name: str, folder: Path, *, expired: bool = False) -> None:
        """Attach a folder to a run as an artifact."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(folder))
        artifact = self._next()
        self._files[artifact] = buffer.getvalue()
        where = f"{self.url}/repos/{self.repository}/actions/artifacts/{artifact}"
        self.artifacts.append({
            "id": artifact, "run": run, "name": name, "expired": expired, "archive_download_url": f"{where}/zip",
        })  # fmt: skip

    def protect(self, branch: str = "main") -> None:
        """Refuse direct pushes to a branch, in GitHub's words, as a rule that only pull requests pass."""
        self.protected.add(branch)
        hook = self.origin / "hooks" / "update"
        hook.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = refs/heads/{branch} ] || exit 0\n'
            f'echo "error: GH006: Protected branch update failed for refs/heads/{branch}." >&2\nexit 1\n'
        )
        hook.chmod(0o755)

    @property
    def storage(self) -> str:
        """Give the address of the storage host."""
        return self.url.replace("127.0.0.1", "localhost")

    def writes(self) -> list[tuple[str, str, str, int]]:
        """Give what was asked to change something: method, path, login, status."""
        return [entry for entry in self.log if entry[0] != "GET" and not entry[1].endswith("git-upload-pack")]

    # The operations. Each gives the status and the values that differ from an example.

    def pulls_get(self, pull_number: str, **_: Any) -> tuple[int, Any]:
        return 200, self._pull(self._known(self.pulls, int(pull_number)))

    def pulls_list(self, query: Json, **_: Any) -> tuple[int, Any]:
        state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
        return 200, [
            self._pull(p)
            for p in reversed(self.pulls.values())
            if state in ("all", p["state"])
            and base in (None, p["base"])
            and head in (None, f"{(p['fork'] or self.repository).split('/')[0]}:{p['head']}")
        ]

    def pulls_create(self, body: Json, token: Token, **_: Any) -> tuple[int, Any]:
        if not self.may_open_pull_requests:
            raise RefusedError(403, "GitHub Actions is not permitted to create or approve pull requests.")
        self._branch(body["head"], 422)
        open_heads = {p["head"] for p in self.pulls.values() if p["state"] == "open" and p["base"] == body["base"]}
        if body["head"] in open_heads:
            raise RefusedError(422, "Validation Failed")
        number = self.open(body["head"], body["base"], author=token.login)
        self.pulls[number].update(title=body["title"], body=body.get("body"))
        return 201, self._pull(self.pulls[number])

    def pulls_update(self, pull_number: str, body: Json, **_: Any) -> tuple[int, Any]:
        pull = self._known(self.pulls, int(pull_number))
        pull.update(body)
        return 200, self._pull(pull)

    def pulls_list_reviews(self, pull_number: str, **_: Any) -> tuple[int, Any]:
        return 200, self.reviews.get(int(pull_number), [])

    def repos_list_pull_requests_associated_with_commit(self, commit_sha: str, **_: Any) -> tuple[int, Any]:
        return 200, [self._pull(p) for p in self.pulls.values() if commit_sha in (p["merge_commit"], self._head(p))]

    def repos_get(self, **_: Any) -> tuple[int, Any]:
        return 200, {"full_name": self.repository, "default_branch": "main", "private": self.private}

    def repos_get_branch(self, branch: str, **_: Any) -> tuple[int, Any]:
        return 200, {"name": branch, "protected": branch in self.protected, "commit": {"sha": self._branch(branch)}}

    def repos_get_branch_rules(self, branch: str, **_: Any) -> tuple[int, Any]:
        checks = [{"context": name} for name in self.required.get(branch, ())]
        parameters = {"required_status_checks": checks, "strict_required_status_checks_policy": False}
        return 200, [{"type": "required_status_checks", "parameters": parameters}] if checks else []

    def actions_get_github_actions_default_workflow_permissions_repository(self, **_: Any) -> tuple[int, Any]:
        allowed = self.may_open_pull_requests
        return 200, {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": allowed}

    def actions_set_github_actions_default_workflow_permissions_repository(
        self, body: Json, **_: Any
    ) -> tuple[int, Any]:
        self.may_open_pull_requests = body["can_approve_pull_request_reviews"]
        return 204, None

    def repos_get_repo_rulesets(self, **_: Any) -> tuple[int, Any]:
        return 200, [{key: r[key] for key in ("id", "name", "enforcement", "source")} for r in self.rulesets.values()]

    def repos_get_repo_ruleset(self, ruleset_id: str, **_: Any) -> tuple[int, Any]:
        return 200, self._known(self.rulesets, int(ruleset_id))

    def repos_create_repo_ruleset(self, body: Json, **_: Any) -> tuple[int, Any]:
        number = self._next()
        self.rulesets[number] = {"id": number, "source": self.repository, **body}
        return 201, self.rulesets[number]

    def repos_update_repo_ruleset(self, ruleset_id: str, body: Json, **_: Any) -> tuple[int, Any]:
        ruleset = self._known(self.rulesets, int(ruleset_id))
        ruleset.update(body)
        return 200, ruleset

    def repos_get_environment(self, environment_name: str, **_: Any) -> tuple[int, Any]:
        found: Json = self._known(self.environments, environment_name)
        return 200, {"name": environment_name, **found}

    def repos_create_or_update_environment(self, environment_name: str, body: Json, **_: Any) -> tuple[int, Any]:
        people = [{"type": "User", "reviewer": {"login": self._login(one["id"])}} for one in body["reviewers"] or ()]
        rule = {"id": self._next(), "node_id": "x", "type": "required_reviewers", "reviewers": people}
        policy = body["deployment_branch_policy"]
        found = {"protection_rules": [rule] if people else [], "deployment_branch_policy": policy}
        self.environments[environment_name] = found
        return 200, {"name": environment_name, **found}

    def users_get_by_username(self, username: str, **_: Any) -> tuple[int, Any]:
        return 200, {"login": username, "id": PEOPLE.index(username)}

    def _login(self, number: int) -> str:
        return PEOPLE[number]

    def actions_get_repo_variable(self, name: str, **_: Any) -> tuple[int, Any]:
        value = self._known(self.variables, name)
        return 200, {"name": name, "value": value, "created_at": NOW, "updated_at": NOW}

    def actions_create_repo_variable(self, body: Json, **_: Any) -> tuple[int, Any]:
        self.variables[body["name"]] = body["value"]
        return 201, {}

    def actions_update_repo_variable(self, name: str, body: Json, **_: Any) -> tuple[int, Any]:
        self._known(self.variables, name)
        self.variables[name] = body["value"]
        return 204, None

    def repos_get_commit(self, ref: str, **_: Any) -> tuple[int, Any]:
        sha = self._commit(ref)
        return 200, {"sha": sha, "url": f"{self.url}/repos/{self.repository}/commits/{sha}"}

    def repos_create_commit_status(self, sha: str, body: Json, token: Token, **_: Any) -> tuple[int, Any]:
        self._commit(sha)
        status = {"description": None, "target_url": None, **body, "sha": sha, "created_at": NOW, "updated_at": NOW}
        self.statuses.insert(0, {**status, "creator": {"login": token.login}})
        return 201, status

    def repos_get_combined_status_for_ref(self, ref: str, **_: Any) -> tuple[int, Any]:
        newest: dict[str, Json] = {}
        for status in self.statuses:
            if status["sha"] == self._commit(ref):
                newest.setdefault(status["context"], {k: v for k, v in status.items() if k not in ("sha", "creator")})
        return 200, {"sha": self._commit(ref), "total_count": len(newest), "statuses": list(newest.values())}

    def issues_get(self, issue_number: str, **_: Any) -> tuple[int, Any]:
        number = int(issue_number)
        known = self._known({**self.issues, **{n: self._as_issue(p) for n, p in self.pulls.items()}}, number)
        return 200, self._issue(known)

    def issues_list_events(self, issue_number: str, **_: Any) -> tuple[int, Any]:
        return 200, self.labels.get(int(issue_number), [])

    def repos_get_collaborator_permission_level(self, username: str, **_: Any) -> tuple[int, Any]:
        role = self._known(self.roles, username)
        permission = {"maintain": "write", "triage": "read"}.get(role, role)
        return 200, {"permission": permission, "role_name": role, "user": None}

    def issues_list_for_repo(self, query: Json, **_: Any) -> tuple[int, Any]:
        return 200, [self._issue(i) for i in self.issues.values() if i["state"] == query.get("state", "open")]

    def issues_create(self, body: Json, token: Token, **_: Any) -> tuple[int, Any]:
        number = self._next()
        self.issues[number] = {"number": number, "state": "open", "user": {"login": token.login}, **body}
        return 201, self._issue(self.issues[number])

    def issues_update(self, issue_number: str, body: Json, **_: Any) -> tuple[int, Any]:
        issue = self._known(self.issues, int(issue_number))
        issue.update(body)
        return 200, self._issue(issue)

    def issues_list_comments(self, issue_number: str, **_: Any) -> tuple[int, Any]:
        return 200, [self._comment(c) for c in self.comments if c["issue"] == int(issue_number)]

    def issues_list_comments_for_repo(self, query: Json, **_: Any) -> tuple[int, Any]:
        step = -1 if query.get("direction") == "desc" and "sort" in query else 1
        return 200, [self._comment(c) for c in self.comments[::step]]

    def issues_create_comment(self, issue_number: str, body: Json, token: Token, **_: Any) -> tuple[int, Any]:
        if len(body["body"]) > 65536:
            raise RefusedError(422, "Validation Failed")
        number = int(issue_number)
        self._known({**self.issues, **self.pulls}, number)
        return 201, self._comment(self.add_comment(number, token.login, body["body"]))

    def add_comment(self, number: int, login: str, body: str) -> Json:
        """Comment on a pull request or issue as anybody."""
        self.comments.append({"id": self._next(), "issue": number, "user": {"login": login}, "body": body})
        return self.comments[-1]

    def issues_update_comment(self, comment_id: str, body: Json, **_: Any) -> tuple[int, Any]:
        comment = self._known({c["id"]: c for c in self.comments}, int(comment_id))
        comment.update(body)
        return 200, self._comment(comment)

    def actions_list_workflow_runs(self, workflow_id: str, query: Json, **_: Any) -> tuple[int, Any]:
        found = [
            dict(run)
            for run in self.runs
            if run["path"].endswith(f"/{workflow_id}")
            and query.get("head_sha") in (None, run["head_sha"])
            and query.get("event") in (None, run["event"])
            and query.get("status") in (None, run["status"], run["conclusion"])
        ]
        return 200, {"total_count": len(found), "workflow_runs": found}

    def actions_list_jobs_for_workflow_run(self, run_id: str, **_: Any) -> tuple[int, Any]:
        found = self.jobs[int(run_id)]
        return 200, {"total_count": len(found), "jobs": found}

    def actions_list_workflow_run_artifacts(self, run_id: str, **_: Any) -> tuple[int, Any]:
        found = [{k: v for k, v in a.items() if k != "run"} for a in self.artifacts if a["run"] == int(run_id)]
        return 200, {"total_count": len(found), "artifacts": found}

    def actions_download_artifact(self, artifact_id: str, **_: Any) -> tuple[int, Any]:
        return 302, f"{self.storage}/_storage/{artifact_id}"

    def repos_get_release_by_tag(self, tag: str, **_: Any) -> tuple[int, Any]:
        return 200, self._known(self.releases, tag)

    def repos_create_release(self, body: Json, token: Token, **_: Any) -> tuple[int, Any]:
        number, where = self._next(), f"{self.url}/repos/{self.repository}/releases"
        values = {
            "id": number, "tag_name": body["tag_name"], "name": body.get("name"), "body": body.get("body"),
            "target_commitish": body.get("target_commitish", "main"), "url": f"{where}/{number}",
            "upload_url": f"{where}/{number}/assets{{?name,label}}", "author": {"login": token.login}, "assets": [],
        }  # fmt: skip
        self.releases[body["tag_name"]] = values
        return 201, values

    def repos_list_release_assets(self, release_id: str, **_: Any) -> tuple[int, Any]:
        return 200, self._release(int(release_id))["assets"]

    def repos_upload_release_asset(self, release_id: str, query: Json, content: bytes, **_: Any) -> tuple[int, Any]:
        number = self._next()
        self._files[number] = content
        where = f"{self.url}/repos/{self.repository}/releases/assets/{number}"
        asset = {"id": number, "name": query["name"], "url": where, "size": len(content), "state": "uploaded"}
        self._release(int(release_id))["assets"].append(asset)
        return 201, asset

    def repos_get_release_asset(self, asset_id: str, **_: Any) -> tuple[int, Any]:
        return 302, f"{self.storage}/_storage/{asset_id}"

    def users_get_authenticated(self, token: Token, **_: Any) -> tuple[int, Any]:
        if token.installation:
            raise RefusedError(403, "Resource not accessible by integration")
        return 200, {"login": token.login}

    # Inside.

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _known(self, where: dict[Any, Known], key: Any) -> Known:
        if key not in where:
            raise RefusedError(404, "Not Found")
        return where[key]

    def _branch(self, name: str, otherwise: int = 404) -> str:
        try:
            return self.commit(f"refs/heads/{name}")
        except subprocess.CalledProcessError:
            raise RefusedError(otherwise, "Not Found" if otherwise == 404 else "Validation Failed") from None

    def _commit(self, rev: str) -> str:
        try:
            return self.commit(rev)
        except subprocess.CalledProcessError:
            raise RefusedError(422, f"No commit found for SHA: {rev}") from None

    def _release(self, number: int) -> Json:
        return self._known({r["id"]: r for r in self.releases.values()}, number)

    def _head(self, pull: Json) -> str:
        if pull.get("merged_head"):
            return str(pull["merged_head"])
        return self.commit(pull["head"] if pull["fork"] else f"refs/heads/{pull['head']}")

    def _pull(self, pull: Json) -> Json:
        repo = {"full_name": self.repository, "fork": False}
        head_repo = {"full_name": pull["fork"], "fork": True} if pull["fork"] else repo
        where = f"{self.url}/repos/{self.repository}/pulls/{pull['number']}"
        return {
            "number": pull["number"], "node_id": f"PR_{pull['number']}", "title": pull["title"], "body": pull["body"], "state": pull["state"],
            "user": {"login": pull["user"]}, "url": where, "html_url": where.replace("/repos", "").replace("pulls", "pull"),
            "head": {"ref": pull["head"], "sha": self._head(pull), "repo": head_repo},
            "base": {"ref": pull["base"], "sha": self._branch(pull["base"]), "repo": repo},
            "merged_at": pull["merged_at"], "merge_commit_sha": pull["merge_commit"],
        }  # fmt: skip

    def event(self, number: int) -> Json:
        """Give the event file of a pull request run."""
        pull = self.pulls[number]
        return {"action": "synchronize", "number": number, "pull_request": self._pull(pull)}

    def _as_issue(self, pull: Json) -> Json:
        return {
            "number": pull["number"],
            "title": pull["title"],
            "state": pull["state"],
            "user": {"login": pull["user"]},
            "labels": [event["label"] for event in self.labels.get(pull["number"], [])],
        }

    def _issue(self, issue: Json) -> Json:
        return {**issue, "url": f"{self.url}/repos/{self.repository}/issues/{issue['number']}"}

    def _comment(self, comment: Json) -> Json:
        issues = f"{self.url}/repos/{self.repository}/issues"
        where = f"{issues}/comments/{comment['id']}"
        values = {"url": where, "html_url": where, "issue_url": f"{issues}/{comment['issue']}"}
        return {**{k: v for k, v in comment.items() if k != "issue"}, **values}


class Handler(BaseHTTPRequestHandler):
    """HTTP around the state."""

    protocol_version = "HTTP/1.1"
    api: GitHubAPI
    lock = threading.RLock()

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing on the terminal."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        content = self._content()
        if url.path.startswith("/_storage/"):
            if self.headers.get("Authorization"):  # the storage host is another one, and refuses the forge's token
                return self._send(400, b"")
            return self._send(200, self.api._files[int(url.path.rsplit("/", 1)[1])])
        if ".git/" in url.path:
            return self._git(url.path, url.query, content)
        with self.lock:
            status, body, headers = self._operate(url.path, dict(parse_qsl(url.query)), content)
            self.api.log.append((self.command, url.path, getattr(self._token(), "login", ""), status))
        return self._send(status, json.dumps(body).encode() if body is not None else b"", headers)

    def _operate(self, path: str, query: Json, content: bytes) -> tuple[int, Any, dict[str, str]]:
        if path == "/graphql":
            return 200, self._graphql(json.loads(content)), {}
        specification = load()
        found = specification.find(self.command, path)
        if found is None:
            self.api.wrong.append(f"{self.command} {path}: GitHub's description knows no such operation")
            return 404, {"message": "Not Found"}, {}
        operation, parts = found
        is_json = "json" in self.headers.get("Content-Type", "")
        body = json.loads(content) if content and is_json else None
        self.api.wrong += specification.request(operation, query, body)
        if operation.id in self.api.fail:
            return *self.api.fail[operation.id], {}
        action: Callable[..., tuple[int, Any]] | None = getattr(self.api, re.sub(r"\W", "_", operation.id), None)
        try:
            if (token := self._token()) is None:
                raise RefusedError(401, "Bad credentials")
            if f"{parts.get('owner')}/{parts.get('repo')}" != self.api.repository and "owner" in parts:
                raise RefusedError(404, "Not Found")
            if self.command != "GET" and not token.write:
                raise RefusedError(403, "Resource not accessible by integration")
            if action is None:
                raise RefusedError(404, "Not Found")
            status, values = action(**parts, query=query, body=body, content=content, token=token)
        except RefusedError as error:
            return error.status, {"message": error.message, "documentation_url": "https://docs.github.com/rest"}, {}
        if status == 302:
            return status, None, {"Location": values}
        if values is None:
            return status, None, {}
        answer, headers = self._page(operation.id, status, values, query, path)
        self.api.wrong += specification.answer(operation, status, answer)
        return status, answer, headers

    def _graphql(self, asked: Json) -> Json:
        """Answer the one mutation that is asked here; GraphQL has a description of its own, which is not checked."""
        if "enablePullRequestAutoMerge" not in asked["query"]:
            self.api.wrong.append(f"graphql: {asked['query'][:80]}")
        number = int(asked["variables"]["input"]["pullRequestId"].removeprefix("PR_"))
        if not self.api.may_merge_by_itself:
            return {"data": None, "errors": [{"message": "Auto merge is not allowed for this repository"}]}
        self.api.pulls[number]["auto_merge"] = True
        return {"data": {"enablePullRequestAutoMerge": {"actor": None, "clientMutationId": None}}}

    def _page(self, operation: str, status: int, values: Any, query: Json, path: str) -> tuple[Any, dict[str, str]]:
        """Fill what was not given, and give one page of a list with its Link header."""
        if not isinstance(values, list):
            return load().filled(operation, status, values), {}
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        shown = [load().filled(operation, status, v) for v in values[(page - 1) * size : page * size]]
        if page * size >= len(values):
            return shown, {}
        more = "&".join(f"{k}={v}" for k, v in {**query, "page": page + 1}.items())
        return shown, {"Link": f'<{self.api.url}{path}?{more}>; rel="next"'}

    def _token(self) -> Token | None:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        return self.api.tokens.get(value)

    def _git(self, path: str, query: str, content: bytes) -> None:
        """Serve the repository with git's own CGI; a push needs a token that may write."""
        push = "git-receive-pack" in path + query
        token = self._token()
        if push:
            self.api.log.append((self.command, path, token.login if token else "", 200 if token else 401))
        if push and (token is None or not token.write):
            return self._send(401 if token is None else 403, b"", {"WWW-Authenticate": 'Basic realm="GitHub"'})
        inside = "/" + path.split(".git/", 1)[1]
        done = subprocess.run(
            ["git", "-c", "http.receivepack=true", "http-backend"],
            input=content,
            capture_output=True,
            check=True,
            env={
                "PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_PROJECT_ROOT": str(self.api.origin), "PATH_INFO": inside,
                "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command, "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(content)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_USER": token.login if token else "",
            },
        )  # fmt: skip
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return self._send(int(headers.pop("Status", "200").split()[0]), body, headers)

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        given = {"Content-Type": "application/json; charset=utf-8", **(headers or {}), "Content-Length": str(len(body))}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running(repository: str, origin: Path) -> Iterator[GitHubAPI]:
    """Serve a repository on a free port of this machine until the end of the block."""
    api = GitHubAPI(repository, origin)
    handler = type("OneHandler", (Handler,), {"api": api, "lock": threading.RLock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
