"""Who may lift a failed gate, and how: a file entry, or a label and a reason by maintainers."""

import json
from pathlib import Path

import pytest

from mergeline import config
from mergeline.compare import gates
from mergeline.config import Gates
from mergeline.forge import event, overrides
from mergeline.forge.github import GitHub
from tests.local_forge.api import GitHubAPI
from tests.unit.compare.conftest import make_report, metric_row

WRITTEN = (
    "primary: roc_auc\nmetrics:\n  roc_auc: {matters: 0.005, rules: {not_worse: true}}\n"
    "overrides: [{gate: roc_auc.not_worse, pull_request: 7, reason: new airport}]\n"
)
GATE = "roc_auc.not_worse"
SAYS = f"I looked at them.\n\noverride {GATE}: the rows of May are wrong"
ROLES = {"ann": "maintain", "bob": "write", "cy": "admin"}


def rules(text: str) -> Gates:
    return config.parse(text, Gates, "gates.yaml")


@pytest.mark.parametrize(("number", "state"), [(7, "overridden"), (8, "failed"), (None, "failed")])
def test_an_entry_lifts_one_gate_for_one_pull_request(number: int | None, state: str) -> None:
    report = make_report(metrics=[metric_row(value=-0.032, word="worse")])

    found = gates.settle(report, rules(WRITTEN), None, number, 0.95)

    assert [gate.state for gate in found.gates] == [state]
    assert ("lifted: new airport" in found.gates[0].text) == (state == "overridden")


def lifting(api: GitHubAPI) -> int:
    """Open a pull request in a repository with two maintainers and one who writes."""
    api.roles.update(ROLES)
    return api.open("feature")


def test_a_maintainers_label_and_reason_lift_a_gate(api: GitHubAPI, forge: GitHub) -> None:
    number = lifting(api)
    api.label(number, "override", by="ann")
    api.say(number, SAYS, by="cy")

    found = overrides.of({}, [GATE], forge, number)

    assert found.lifted == {GATE: "the rows of May are wrong (cy)"}
    assert not found.notes


@pytest.mark.parametrize(
    ("by", "says", "author", "note"),
    [
        ("bob", SAYS, "ann", "bob, who put it there, does not maintain this repository"),
        ("ann", SAYS, "bob", f"bob would lift {GATE}, and does not maintain this repository"),
        ("ann", SAYS, "stranger", "does not maintain this repository"),
        ("ann", "override auc.not_worse: x", "cy", "cy would lift auc.not_worse, which is no gate"),
        ("ann", f"> override {GATE}: quoted", "cy", "lifts nothing yet"),
        ("ann", f"override {GATE}:", "cy", "lifts nothing yet"),
    ],
    ids=["label by a writer", "reason by a writer", "by nobody", "no such gate", "a quotation", "no reason"],
)
def test_what_lacks_permission_or_reason_lifts_nothing_and_is_told(
    api: GitHubAPI, forge: GitHub, by: str, says: str, author: str, note: str
) -> None:
    number = lifting(api)
    api.label(number, "override", by=by)
    api.say(number, says, by=author)

    found = overrides.of({}, [GATE], forge, number)

    assert not found.lifted
    assert note in found.notes[0]


def test_a_gate_whose_name_holds_a_colon_is_lifted(api: GitHubAPI, forge: GitHub) -> None:
    number = lifting(api)
    api.label(number, "override", by="ann")
    api.say(number, "override slices.time=10:30.not_worse: few rows", by="ann")

    assert overrides.of({}, ["slices.time=10:30.not_worse"], forge, number).lifted == {
        "slices.time=10:30.not_worse": "few rows (ann)"
    }


def test_many_remarks_of_one_person_ask_once_what_that_person_may_do(api: GitHubAPI, forge: GitHub) -> None:
    number = lifting(api)
    api.label(number, "override", by="ann")
    for _ in range(5):
        api.say(number, SAYS, by="bob")

    overrides.of({}, [GATE], forge, number)

    assert [path.split("/")[-2] for _, path, _, _ in api.log if "collaborators" in path] == ["ann", "bob"]


def test_a_reason_without_the_label_lifts_nothing(api: GitHubAPI, forge: GitHub) -> None:
    number = lifting(api)
    api.say(number, SAYS, by="ann")

    assert overrides.of({}, [GATE], forge, number) == overrides.Overrides({})


def test_a_forge_that_does_not_answer_lifts_nothing_and_is_told(api: GitHubAPI, forge: GitHub) -> None:
    api.fail["issues/get"] = (500, {"message": "Server Error"})

    found = overrides.of(rules(WRITTEN).lifted(7), [GATE], forge, 7)

    assert found.lifted == {GATE: "new airport"}
    assert found.notes[0].startswith("No override by label")


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"merge_group": {"head_ref": "refs/heads/gh-readonly-queue/main/pr-12-" + "a" * 40}}, 12),
        ({"merge_group": {"head_ref": "refs/heads/main"}}, None),
        ({"ref": "refs/heads/main"}, None),
    ],
    ids=["merge queue", "no queue", "push"],
)
def test_a_merge_queue_judges_a_pull_request_by_what_lifts_its_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, object], number: int | None
) -> None:
    (tmp_path / "event.json").write_text(json.dumps(told))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))

    assert event.number() == number
