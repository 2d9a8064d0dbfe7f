import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from mergeline.errors import ForgeTrouble
from mergeline.forge import Comment, connect, event, github
from mergeline.forge.github import GitHub
from tests.local_forge.api import GitHubAPI, Token

MARKER = "<!-- mergeline -->"


def test_posts_one_comment_and_then_updates_it(api: GitHubAPI, forge: GitHub) -> None:
    number = api.open("feature")

    forge.comment(number, MARKER, "first")
    forge.comment(number, MARKER, f"{MARKER}\nsecond")

    assert [c["body"] for c in api.comments] == [f"{MARKER}\nsecond"]


def test_finds_its_comment_behind_a_hundred_others(api: GitHubAPI, forge: GitHub) -> None:
    number = api.open("feature")
    for i in range(130):
        api.add_comment(number, "ada", f"remark {i}")
    mine = api.add_comment(number, "github-actions[bot]", f"{MARKER} old")

    forge.comment(number, MARKER, "new")

    assert mine["body"] == f"{MARKER}\nnew"
    assert len(api.comments) == 131


@pytest.mark.parametrize(("who", "actor"), [("forge", "github-actions[bot]"), ("person", "ada")])
def test_never_touches_a_comment_of_somebody_else_with_the_same_marker(
    api: GitHubAPI, request: pytest.FixtureRequest, who: str, actor: str
) -> None:
    number = api.open("feature")
    foreign = api.add_comment(number, "mallory", f"{MARKER} better, trust me")
    forge: GitHub = request.getfixturevalue(who)

    forge.comment(number, MARKER, "verdict")

    assert foreign["body"] == f"{MARKER} better, trust me"
    assert [c["body"] for c in api.comments if c["user"]["login"] == actor] == [f"{MARKER}\nverdict"]


@pytest.mark.parametrize(("who", "actor"), [("forge", "github-actions[bot]"), ("person", "ada")])
def test_gives_its_own_comments_of_all_pull_requests_the_newest_first(
    api: GitHubAPI, request: pytest.FixtureRequest, who: str, actor: str
) -> None:
    one, two = api.open("feature"), api.open("feature")
    api.add_comment(one, actor, f"{MARKER} first")
    for i in range(130):
        api.add_comment(two, "mallory", f"{MARKER} {i}")
    api.add_comment(two, actor, f"{MARKER} second")
    api.add_comment(two, actor, "something else")
    forge: GitHub = request.getfixturevalue(who)

    assert forge.comments(MARKER) == [
        Comment(number=two, body=f"{MARKER} second"), Comment(number=one, body=f"{MARKER} first"),
    ]  # fmt: skip
    assert forge.comments("no such text") == []


def test_looks_at_the_newest_comments_alone(api: GitHubAPI, forge: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    number = api.open("feature")
    for i in range(5):
        api.add_comment(number, "github-actions[bot]", f"{MARKER} {i}")
    monkeypatch.setattr(github, "NEWEST", 2)

    assert [one.body for one in forge.comments(MARKER)] == [f"{MARKER} 4", f"{MARKER} 3"]


def test_tells_a_pull_request_and_that_a_fork_is_one(api: GitHubAPI, forge: GitHub) -> None:
    own = forge.pull_request(api.open("feature"))
    fork = forge.pull_request(api.open(api.commit("feature"), fork="mallory/flight-delays"))

    assert (own.head, own.base, own.open, own.merged, own.fork) == (
        api.commit("feature"), api.commit("main"), True, False, False,
    )  # fmt: skip
    assert fork.fork
    assert fork.head_repository == "mallory/flight-delays"


def test_finds_the_pull_request_that_a_merge_came_from(api: GitHubAPI, forge: GitHub) -> None:
    number = api.open("feature")
    before = api.commit("main")
    merged = api.merge(number)

    found = forge.pull_request_of(merged)

    assert found is not None
    assert (found.number, found.merged, found.head) == (number, True, api.commit("feature"))
    assert forge.pull_request_of(api.commit("feature")) is None, "the head is no merge"
    assert forge.pull_request_of(before) is None


def test_opens_one_pull_request_per_branch_and_updates_it(api: GitHubAPI, forge: GitHub) -> None:
    first = forge.open_pull_request("feature", "main", "Release 1", "one")
    second = forge.open_pull_request("feature", "main", "Release 2", "two")

    assert first == second
    assert [(p["title"], p["body"]) for p in api.pulls.values()] == [("Release 2", "two")]


def test_counts_only_the_last_word_of_each_reviewer(api: GitHubAPI, forge: GitHub) -> None:
    number = api.open("feature")
    for who, word in [("ada", "APPROVED"), ("bob", "APPROVED"), ("bob", "CHANGES_REQUESTED"), ("ada", "COMMENTED")]:
        api.review(number, who, word)

    assert forge.approvals(number) == ["ada"]


def test_gives_the_newest_status_of_each_context(api: GitHubAPI, forge: GitHub) -> None:
    head = api.commit("feature")
    forge.status(head, "verdict", "pending", "training")
    forge.status(head, "verdict", "success", "better: " + "roc_auc " * 40, "https://example.com/run")
    forge.status(head, "deploy (staging)", "failure", "smoke test failed")

    found = forge.statuses(head)

    assert [(s.context, s.state) for s in found] == [("deploy (staging)", "failure"), ("verdict", "success")]
    assert len(found[1].description) == 140
    assert found[1].url == "https://example.com/run"


@pytest.mark.parametrize("goes_on", [False, True], ids=["a run that ended", "jobs that decide nothing still run"])
def test_unpacks_the_artifact_of_the_run_of_that_head_and_repository(
    api: GitHubAPI, forge: GitHub, tmp_path: Path, goes_on: bool
) -> None:
    head = api.commit("feature")
    (tmp_path / "reviewed").mkdir()
    (tmp_path / "reviewed" / "dvc.lock").write_text("reviewed")
    api.upload(api.finish_run("train.yml", head, goes_on=goes_on), "training", tmp_path / "reviewed")

    found = forge.artifact(
        ".github/workflows/train.yml", "verdict-pass", head, api.repository, "training", tmp_path / "to"
    )

    assert found
    assert (tmp_path / "to" / "dvc.lock").read_text() == "reviewed"


@pytest.mark.parametrize(
    ("workflow", "repository", "conclusion", "expired", "name"),
    [
        ("train.yml", "mallory/flight-delays", "success", False, "training"),
        ("other.yml", "octo/flight-delays", "success", False, "training"),
        ("train.yml", "octo/flight-delays", "failure", False, "training"),
        ("train.yml", "octo/flight-delays", "success", True, "training"),
        ("train.yml", "octo/flight-delays", "success", False, "coverage"),
    ],
    ids=["of a fork", "of another workflow", "of a failed run", "expired", "of another name"],
)
def test_takes_no_artifact(
    api: GitHubAPI, forge: GitHub, tmp_path: Path,
    workflow: str, repository: str, conclusion: str, expired: bool, name: str,
) -> None:  # fmt: skip
    head = api.commit("feature")
    run = api.finish_run(workflow, head, repository, conclusion)
    (tmp_path / "offered").mkdir()
    (tmp_path / "offered" / "dvc.lock").write_text("offered")
    api.upload(run, name, tmp_path / "offered", expired=expired)

    assert not forge.artifact(
        ".github/workflows/train.yml", "verdict-pass", head, api.repository, "training", tmp_path / "to"
    )
    assert not (tmp_path / "to").exists()


def test_keeps_files_on_a_release_and_gives_them_back(api: GitHubAPI, forge: GitHub, tmp_path: Path) -> None:
    kept = tmp_path / "model.tar"
    kept.write_bytes(b"\x00bundle")

    forge.release_assets("bundle-1", [kept], commit=api.commit("main"))
    forge.release_assets("bundle-1", [kept])

    assert len(api.releases["bundle-1"]["assets"]) == 1
    assert forge.release_asset("bundle-1", "model.tar", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"\x00bundle"
    assert not forge.release_asset("bundle-1", "other", tmp_path / "other")
    assert not forge.release_asset("bundle-2", "model.tar", tmp_path / "other")


def test_opens_one_issue_and_updates_it(api: GitHubAPI, forge: GitHub) -> None:
    first = forge.open_issue("No release", "gate failed", MARKER)
    second = forge.open_issue("No release", "gate failed again", MARKER)

    assert first == second
    assert [i["body"] for i in api.issues.values()] == [f"{MARKER}\ngate failed again"]


def test_merges_by_itself_only_where_the_repository_allows_it(api: GitHubAPI, forge: GitHub) -> None:
    number = api.open("feature")
    forbidden = forge.merge_when_green(number)
    api.may_merge_by_itself = True

    assert (forbidden, forge.merge_when_green(number)) == (False, True)
    assert api.pulls[number]["auto_merge"]


def test_says_whether_a_branch_is_protected(api: GitHubAPI, forge: GitHub) -> None:
    before = forge.protected("main")
    api.protect()

    assert (before, forge.protected("main")) == (False, True)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (401, "Bad credentials", "give GITHUB_TOKEN a valid one"),
        (403, "Resource not accessible by integration", "the permission that this needs"),
        (403, "API rate limit exceeded for installation", "rate limit is used up"),
        (404, "Not Found", "GITHUB_REPOSITORY"),
        (422, "Validation Failed", "correct it as the message says"),
        (429, "You have exceeded a secondary rate limit", "run the command again"),
        (500, "Server Error", "githubstatus"),
    ],
)
def test_a_refusal_is_one_line_with_its_remedy(
    api: GitHubAPI, forge: GitHub, status: int, message: str, expected: str
) -> None:
    number = api.open("feature")
    api.fail["issues/create-comment"] = (status, {"message": message})

    with pytest.raises(ForgeTrouble) as trouble:
        forge.comment(number, MARKER, "verdict")

    said = str(trouble.value)
    assert expected in said
    assert "\n" not in said
    assert str(status) in said
    assert len([w for w in api.writes() if w[3] == status]) == 1, "a write is not repeated"


def test_no_answer_is_one_line_with_its_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refused at once
        silent = GitHub("token", "octo/flight-delays", f"http://127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(ForgeTrouble, match=r"no answer.*githubstatus"):
            silent.pull_request(1)


def test_a_missing_token_is_refused_by_name(api: GitHubAPI) -> None:
    with pytest.raises(ForgeTrouble, match=r"401.*GITHUB_TOKEN"):
        GitHub("wrong", api.repository, api.url).pull_request(api.open("feature"))


def test_a_token_that_may_only_read_writes_nothing(api: GitHubAPI) -> None:
    api.tokens["fork-token"] = Token("github-actions[bot]", write=False)

    with pytest.raises(ForgeTrouble, match="403 Resource not accessible"):
        GitHub("fork-token", api.repository, api.url).comment(api.open("feature"), MARKER, "verdict")
    assert api.comments == []


def test_connects_only_with_token_and_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert connect(tmp_path) is None

    monkeypatch.setenv("GITHUB_TOKEN", "token")
    assert connect(tmp_path) is None

    subprocess.run(["git", "remote", "add", "origin", "git@github.com:octo/delays.git"], cwd=tmp_path, check=True)
    found = connect(tmp_path)
    assert found is not None
    assert found.repository == "octo/delays"


def test_reads_the_pull_request_of_the_run_from_the_event(
    api: GitHubAPI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = api.open(api.commit("feature"), fork="mallory/flight-delays")
    (tmp_path / "event.json").write_text(json.dumps(api.event(number)))
    monkeypatch.setenv("GITHUB_EVENT_PATH", os.fspath(tmp_path / "event.json"))

    found = event.pull_request()

    assert found is not None
    assert (found.number, found.head, found.fork, found.base_branch) == (number, api.commit("feature"), True, "main")


def test_no_event_is_no_pull_request_and_a_broken_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    assert event.pull_request() is None

    (tmp_path / "event.json").write_text('{"ref": "refs/heads/main"}')
    monkeypatch.setenv("GITHUB_EVENT_PATH", os.fspath(tmp_path / "event.json"))
    assert event.pull_request() is None

    (tmp_path / "event.json").write_text('{"pull_request": {"number": 3}}')
    with pytest.raises(ForgeTrouble, match="no readable pull request"):
        event.pull_request()


def test_tells_what_the_repository_allows(forge: GitHub, api: GitHubAPI) -> None:
    assert forge.required_checks("main") == []
    assert forge.variable("APP_ID") is None
    assert forge.actions_may_open_pull_requests()

    api.required["main"] = ["verdict-pass", "check-pass"]
    api.variables["APP_ID"] = "12"
    api.may_open_pull_requests = False

    assert forge.required_checks("main") == ["check-pass", "verdict-pass"]
    assert forge.variable("APP_ID") == "12"
    assert not forge.actions_may_open_pull_requests()
    assert not forge.private()
