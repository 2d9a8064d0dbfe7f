"""train.yml, run: a pull request from a branch and from a fork."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.local_forge.api import Token
from tests.workflows.conftest import Make
from tests.workflows.hosted import propose
from tests.workflows.runner import act

pytestmark = pytest.mark.slow
FASTER = {"params.yaml": ("learning_rate: 0.1", "learning_rate: 0.2")}
BOTH = {
    "params.yaml": ('as_of: "2013-07-01"', 'as_of: "2013-06-28"'),
    "src/model/estimator.py": ("early_stopping=False,", "early_stopping=False,\n        l2_regularization=1.0,"),
}


def test_a_pull_request_gets_one_comment_and_a_status(hosted: Make, small: Path, tmp_path: Path) -> None:
    api, clone = hosted(small)
    number = propose(api, clone, "faster", FASTER)

    run = act(
        clone, "train.yml", "pull_request", api.event(number), api, tmp_path / "run", cache=small.parent / "cache"
    )

    assert run.jobs == {"train": "success", "comment": "success", "verdict-pass": "success"}, run.printed
    (comment,) = api.comments
    assert comment["issue"] == number
    assert comment["user"]["login"] == "github-actions[bot]"
    assert "roc_auc" in comment["body"]
    assert "learning_rate" in comment["body"]
    (status,) = api.statuses
    assert status["sha"] == api.commit("faster")
    assert status["state"] == "success"
    assert "roc_auc" in run.summary
    assert (run.artifacts / "training" / "dvc.lock").is_file()
    assert not list((run.artifacts / "training").rglob("raw.parquet"))


def test_where_data_and_code_both_changed_the_comment_is_completed_by_what_each_did(
    hosted: Make, small: Path, tmp_path: Path
) -> None:
    api, clone = hosted(small)
    number = propose(api, clone, "both", BOTH)

    run = act(
        clone, "train.yml", "pull_request", api.event(number), api, tmp_path / "run", cache=small.parent / "cache"
    )

    done = ("train", "comment", "verdict-pass", "attribute", "complete")
    assert run.jobs == dict.fromkeys(done, "success"), run.printed
    (comment,) = api.comments
    assert "new data alone" in comment["body"]
    assert "new data alone" in run.summary
    assert [status["state"] for status in api.statuses] == ["success", "success"]
    assert not (run.artifacts / "training/report/report.md").read_text().count("new data alone")


@pytest.mark.nightly
def test_a_maintainers_label_and_reason_let_a_pull_request_pass_that_a_gate_stopped(
    hosted: Make, small: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(small, project)
    gates = project / "gates.yaml"
    gates.write_text(gates.read_text().replace("at_least: 0.5", "at_least: 0.99"))
    api, clone = hosted(project)
    api.roles["ann"] = "maintain"
    number = propose(api, clone, "faster", FASTER)
    event, cache = api.event(number), small.parent / "cache"

    stopped = act(clone, "train.yml", "pull_request", event, api, tmp_path / "stopped", cache=cache)
    api.label(number, "override", by="ann")
    api.say(number, "override roc_auc.at_least: The example has few rows.", by="ann")
    again = act(clone, "train.yml", "pull_request", event, api, tmp_path / "again", cache=cache)

    assert stopped.jobs == {"train": "failure", "comment": "failure", "verdict-pass": "failure"}, stopped.printed
    assert again.jobs == {"train": "success", "comment": "success", "verdict-pass": "success"}, again.printed
    (comment,) = [comment for comment in api.comments if comment["user"]["login"] != "ann"]
    assert "Overridden: `roc_auc.at_least`" in comment["body"]
    assert "The example has few rows." in comment["body"]
    assert [status["state"] for status in api.statuses] == ["success", "failure"]


def test_a_fork_writes_nothing_and_reports_in_the_summary(hosted: Make, small: Path, tmp_path: Path) -> None:
    api, clone = hosted(small)
    api.tokens["fork-token"] = Token("github-actions[bot]", write=False)
    number = propose(api, clone, "theirs", FASTER, fork="mallory/flight-delays")

    run = act(
        clone,
        "train.yml",
        "pull_request",
        api.event(number),
        api,
        tmp_path / "run",
        token="fork-token",  # noqa: S106 - known to the local forge alone
        cache=small.parent / "cache",
    )

    assert run.jobs == {"train": "success", "verdict-pass": "success"}, run.printed
    assert api.writes() == []
    assert api.comments == []
    assert "roc_auc" in run.summary


def test_a_pull_request_that_moves_pins_alone_trains_nothing(hosted: Make, small: Path, tmp_path: Path) -> None:
    api, clone = hosted(small)
    pin = "infra/environments/production/pin.json"
    number = propose(api, clone, "promote", {pin: ("null", "null ")})

    run = act(
        clone, "train.yml", "pull_request", api.event(number), api, tmp_path / "run", cache=small.parent / "cache"
    )

    assert run.code == 0, run.printed
    assert run.jobs == {"train": "success", "verdict-pass": "success"}
    assert api.writes() == []


def test_a_fork_that_cannot_fetch_the_rows_is_told_who_can_train_it(hosted: Make, small: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(small, project)
    rows = project / "data/files/flights.parquet"
    md5 = hashlib.md5(rows.read_bytes(), usedforsecurity=False).hexdigest()
    rows.with_name("flights.parquet.dvc").write_text(
        f"outs:\n- md5: {md5}\n  size: {rows.stat().st_size}\n  hash: md5\n  path: flights.parquet\n"
    )
    rows.unlink()
    with (project / ".dvc/config").open("a") as config:
        config.write("    remote = storage\n['remote \"storage\"']\n    url = http://127.0.0.1:9/rows\n")
    api, clone = hosted(project)
    api.tokens["fork-token"] = Token("github-actions[bot]", write=False)
    number = propose(api, clone, "theirs", FASTER, fork="mallory/flight-delays")

    run = act(clone, "train.yml", "pull_request", api.event(number), api, tmp_path / "run", token="fork-token")  # noqa: S106 - known to the local forge alone

    assert run.code == 0, run.printed
    assert run.jobs == {"train": "success", "verdict-pass": "success"}
    assert "a maintainer must push this branch" in run.summary
    assert api.writes() == []
    assert not run.artifacts.exists()
