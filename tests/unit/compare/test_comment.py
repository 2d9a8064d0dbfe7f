"""What the job with the write token does with a report that the pull request's own code wrote."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline.compare import comment, report
from mergeline.compare.report import Change, Looks, Report
from mergeline.errors import BadSettings, ForgeTrouble, GateFailed, Integrity, Usage
from mergeline.forge import Comment, Remark
from tests.unit.compare.conftest import make_report, metric_row

HEAD, BASE = "e" * 40, "b" * 40
PARAMS = 'python: "3.11"\ntask: classification\n'
GATES = "primary: roc_auc\nmetrics:\n  roc_auc: {matters: 0.005, rules: {not_worse: true}}\n"


class FakeForge:
    repository = "org/flights"

    def __init__(self) -> None:
        self.posted: dict[tuple[int, str], str] = {}
        self.states: list[tuple[str, str, str, str]] = []
        self.urls: list[str | None] = []
        self.said: list[Comment] = []
        self.remarked: dict[int, list[Remark]] = {}
        self.silent = False

    def comments(self, text: str) -> list[Comment]:
        if self.silent:
            raise ForgeTrouble("GitHub gave no answer")
        return [one for one in self.said if text in one.body]

    def labelled(self, number: int, label: str) -> str | None:
        return "ann" if number in self.remarked and label == "override" else None

    def remarks(self, number: int, text: str) -> list[Remark]:
        return [one for one in self.remarked[number] if text in one.body]

    def maintains(self, login: str) -> bool:
        return login == "ann"

    def comment(self, number: int, marker: str, body: str) -> str:
        self.posted[number, marker] = body
        return "https://forge.example/1"

    def status(self, commit: str, context: str, state: str, description: str, url: str | None = None) -> None:
        self.states.append((commit, context, state, description))
        self.urls.append(url)

    @property
    def body(self) -> str:
        (only,) = self.posted.values()
        return only


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "gates.yaml").write_text(GATES)
    (tmp_path / "report").mkdir()
    repository = {"full_name": "org/flights"}
    event = {
        "pull_request": {
            "number": 7,
            "title": "@everyone",
            "user": {"login": "ann"},
            "head": {"sha": HEAD, "repo": repository},
            "base": {"sha": BASE, "ref": "main", "repo": repository},
        }
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    return tmp_path


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> FakeForge:
    made = FakeForge()
    monkeypatch.setattr(comment, "connect", lambda _root: made)
    return made


def post(root: Path, made: Report) -> None:
    report.write(root / "report", made)
    comment.run(root, root / "report/report.json")


def test_posts_the_verdict_and_the_status_of_the_head_that_the_event_names(root: Path, forge: FakeForge) -> None:
    post(root, make_report())

    assert forge.body.startswith("**Better**: roc_auc 0.712 → 0.744")
    (commit, context, state, description) = forge.states[0]
    assert (commit, context, state) == (HEAD, "mergeline/verdict", "success")
    assert forge.urls == ["https://forge.example/1"]
    assert description.startswith("Better: roc_auc 0.712 → 0.744")


def test_what_was_judged_stands_in_a_hidden_line(root: Path, forge: FakeForge) -> None:
    post(root, make_report())

    assert forge.body.endswith(f"<!-- judged: rows={'a' * 64} base={'2' * 64} candidate={'1' * 64} -->")


def test_a_hidden_line_cannot_be_broken_out_of(root: Path, forge: FakeForge) -> None:
    evil = msgspec.structs.replace(make_report().candidate, bundle="--> <img src=x>")

    post(root, make_report(candidate=evil))

    assert "<img" not in forge.body
    assert "candidate=none -->" in forge.body


def test_a_second_run_updates_the_comment(root: Path, forge: FakeForge) -> None:
    post(root, make_report())
    post(root, make_report(metrics=[metric_row(value=0.05)]))

    assert "0.762" in forge.body


def test_a_broken_gate_fails_after_the_comment_was_posted(root: Path, forge: FakeForge) -> None:
    with pytest.raises(GateFailed, match=r"roc_auc\.not_worse: worse by 0\.032"):
        post(root, make_report(metrics=[metric_row(value=-0.032)]))

    assert forge.body.startswith("**Worse**")
    assert "**Blocked** by gates.yaml" in forge.body
    assert forge.states[0][2] == "failure"
    assert forge.states[0][3].startswith("roc_auc.not_worse: worse by 0.032")


def test_a_gate_that_a_maintainer_lifted_passes_and_says_who_lifted_it_and_why(root: Path, forge: FakeForge) -> None:
    forge.remarked = {7: [Remark(author="ann", body="override roc_auc.not_worse: May is @everyone's <b>wrong</b>")]}

    post(root, make_report(metrics=[metric_row(value=-0.032)]))

    assert "> Overridden: `roc_auc.not_worse`: worse by 0.032" in forge.body
    assert "&lt;b&gt;wrong&lt;/b&gt; (ann)" in forge.body
    assert "@everyone" not in forge.body
    assert forge.states[0][2] == "success"


def test_a_report_that_claims_to_pass_is_judged_by_the_base_rules(root: Path, forge: FakeForge) -> None:
    lying = make_report(metrics=[metric_row(value=-0.032, word="better", matters=9.0)], gates=[], primary="f1")

    with pytest.raises(GateFailed):
        post(root, lying)

    assert forge.body.startswith("**Worse**: roc_auc")


def test_a_report_without_the_metric_of_a_gate_fails_it(root: Path, forge: FakeForge) -> None:
    with pytest.raises(GateFailed, match="the report has no such metric"):
        post(root, make_report(metrics=[]))

    assert forge.body.startswith("**Cannot tell**")


def test_numbers_that_do_not_fit_are_refused_and_said(root: Path, forge: FakeForge) -> None:
    with pytest.raises(Integrity):
        post(root, make_report(metrics=[metric_row(candidate=0.99)]))

    assert "cannot be read" in forge.body
    assert forge.states[0][2] == "error"


@pytest.mark.parametrize(
    "content", [b"{", b" " * (report.LARGEST + 1), b'{"schema": 1}'], ids=["no JSON", "oversized", "not a report"]
)
def test_a_file_that_is_no_report_gives_a_fixed_comment(root: Path, forge: FakeForge, content: bytes) -> None:
    (root / "report/report.json").write_bytes(content)

    with pytest.raises(Integrity):
        comment.run(root, root / "report/report.json")

    assert forge.body == f"*{comment.UNREADABLE}*"


def test_an_unknown_schema_gives_a_fixed_comment_and_does_not_fail(root: Path, forge: FakeForge) -> None:
    (root / "report/report.json").write_bytes(b'{"schema": 99, "html": "<b>"}')

    comment.run(root, root / "report/report.json")

    assert forge.body == "*Report format changed by this pull request: see the job summary.*"
    assert forge.states[0][2] == "error"


def test_pull_request_and_commit_come_from_the_event_alone(root: Path, forge: FakeForge) -> None:
    post(root, make_report(candidate=msgspec.structs.replace(make_report().candidate, commit="f" * 40)))

    assert [key[0] for key in forge.posted] == [7]
    assert forge.states[0][0] == HEAD


def test_gates_that_name_an_unknown_metric_are_an_error_not_a_pass(root: Path, forge: FakeForge) -> None:
    (root / "gates.yaml").write_text("primary: auc\nmetrics: {auc: {matters: 1}}\n")

    with pytest.raises(BadSettings, match="auc is no metric"):
        post(root, make_report())

    assert not forge.posted


@pytest.mark.parametrize(("variable", "error"), [("GITHUB_EVENT_PATH", Usage), ("GITHUB_TOKEN", ForgeTrouble)])
def test_outside_of_a_pull_request_or_without_a_forge_it_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, error: type[Exception]
) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(variable, raising=False)

    with pytest.raises(error):
        post(root, make_report())


def test_the_gates_of_the_report_and_of_the_comment_agree(root: Path, forge: FakeForge) -> None:
    made: dict[str, Any] = {"metrics": [metric_row(value=0.001, error=0.001)]}

    post(root, make_report(**made))

    assert forge.body.startswith("**Same**")


def hidden(candidate: int, rows: str = "a" * 64) -> str:
    return f"<!-- judged: rows={rows} base={'2' * 64} candidate={candidate:064d} -->"


def test_candidates_that_these_rows_judged_before_are_counted(root: Path, forge: FakeForge) -> None:
    forge.said = [Comment(number=i, body=f"**Same**\n\n{hidden(i)}") for i in range(30)]

    post(root, make_report(looks=Looks(candidates=1)))

    assert "judged 31 candidates" in forge.body


def test_what_this_comment_judged_before_is_carried_along(root: Path, forge: FakeForge) -> None:
    forge.said = [Comment(number=7, body=f"x\n\n{hidden(1)}\n{hidden(2)}"), Comment(number=8, body=hidden(3))]

    post(root, make_report())

    assert forge.body.splitlines()[-3:] == [
        f"<!-- judged: rows={'a' * 64} base={'2' * 64} candidate={'1' * 64} -->", hidden(1), hidden(2),
    ]  # fmt: skip
    assert "4 candidates judged on these rows so far." in forge.body


def test_a_report_that_cannot_be_read_does_not_forget_what_was_judged_before(root: Path, forge: FakeForge) -> None:
    forge.said = [Comment(number=7, body=f"x\n\n{hidden(1)}")]
    (root / "report/report.json").write_bytes(b'{"schema": 99}')

    comment.run(root, root / "report/report.json")

    assert forge.body == f"*{comment.OTHER_SCHEMA}*\n\n{hidden(1)}"


def test_the_longest_comment_has_room_for_what_it_judged_before(root: Path, forge: FakeForge) -> None:
    forge.said = [Comment(number=7, body="\n".join(hidden(i) for i in range(200)))]
    amps = "&" * 200
    changes = [Change(name=amps, base=amps, candidate=amps)] * 30

    post(root, make_report(data=changes, notes=[amps] * 20))

    assert len(forge.body) < 65_536
    assert "left out: too long" in forge.body
    assert hidden(1) in forge.body


def test_a_forge_that_does_not_tell_its_comments_stops_nothing(
    root: Path, forge: FakeForge, capsys: pytest.CaptureFixture[str]
) -> None:
    forge.silent = True

    post(root, make_report(looks=Looks(candidates=99)))

    assert forge.body.startswith("**Better**")
    assert "judged on these rows" not in forge.body
    assert "99" not in forge.body
    assert "Looks are not counted: GitHub gave no answer" in capsys.readouterr().err
