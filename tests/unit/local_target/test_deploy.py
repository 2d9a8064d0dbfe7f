"""Deployments of real releases on this machine: real Terraform, real supervisor, real server."""

import http.client
import json
import os
import signal
import socket
import threading
import urllib.request
from pathlib import Path

import pytest

from mergeline import bundle, processes, state
from mergeline.errors import Conflict, DeploymentFailed, Integrity, RepositoryTrouble
from mergeline.release import deploy, ledger, plan, promotion, smoke, status, terraform
from mergeline.release.manifest import Release
from mergeline.serve import local
from tests.local_forge.api import GitHubAPI
from tests.tools import until
from tests.unit.local_target.conftest import break_answers, release
from tests.unit.project import Project

pytestmark = pytest.mark.slow


def running(project: Project) -> dict[str, object]:
    """Give what the supervisor of staging says about itself."""
    return state.supervisor(terraform.folder(project.root, "staging") / "run")


def look(project: Project) -> status.Environment:
    return status.look(project.root, "staging")


def version(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=10) as answer:
        return str(json.loads(answer.read())["release"])


def test_a_release_comes_up_answers_as_tested_and_plans_clean_afterwards(place: Project, port: int) -> None:
    made = release(place, 1)

    first = plan.run(place.root, "staging")
    done = deploy.run(place.root, "staging")
    after = plan.run(place.root, "staging")

    assert [a.action for a in first.actions] == ["create", "create"]
    assert (first.running, first.pinned) == (None, made.id)
    assert done.rows == 3
    assert done.url == f"http://127.0.0.1:{port}"
    assert version(port) == made.id
    assert after.actions == []
    assert look(place).word == "running"
    assert (place.root / "infra/environments/staging").is_dir()
    assert place.git("status", "--porcelain", "--ignored", "infra") == ""  # nothing of Terraform in the working copy


def test_a_switch_under_load_fails_no_request_and_can_be_taken_back(place: Project, port: int) -> None:
    first = release(place, 1)
    deploy.run(place.root, "staging")
    seen: list[str] = []
    failures: list[Exception] = []
    over = threading.Event()

    def load(kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not over.is_set():
            try:
                connection.request("GET", "/version")
                seen.append(json.loads(connection.getresponse().read())["release"])
            except Exception as error:
                failures.append(error)
            if not kept:
                connection.close()
        connection.close()

    clients = [threading.Thread(target=load, args=(kept,)) for kept in (True, True, False)]
    for client in clients:
        client.start()
    try:
        second = release(place, 2)
        deploy.run(place.root, "staging")
        until(lambda: seen[-1] == second.id)
        promotion.rollback(place.root, "staging", to=None, reason="a test", pull_request=False)
        deploy.run(place.root, "staging")
        until(lambda: seen[-1] == first.id)
    finally:
        over.set()
        for client in clients:
            client.join()

    assert failures == []
    assert set(seen) == {first.id, second.id}
    assert [m.action for m in ledger.run(place.root, "staging").moves][:2] == ["rolled back", "promoted"]


def test_an_environment_without_a_release_is_no_error(place: Project) -> None:
    done = deploy.run(place.root, "staging")

    assert done.release is None
    assert look(place).word == "no release"


def test_a_killed_worker_comes_back(place: Project, port: int) -> None:
    made = release(place, 1)
    deploy.run(place.root, "staging")
    before = running(place)["workers"]

    os.kill(before[0]["pid"], signal.SIGKILL)  # type: ignore[index]

    until(lambda: running(place)["restarts"] == 1 and running(place)["workers"] not in ([], before))
    assert version(port) == made.id
    assert "1 restart" in look(place).detail


def test_status_sees_a_dead_supervisor_and_the_next_deployment_repairs_it(place: Project, port: int) -> None:
    made = release(place, 1)
    deploy.run(place.root, "staging")
    os.kill(int(str(running(place)["pid"])), signal.SIGKILL)
    until(lambda: look(place).word == "dead")

    repair = plan.run(place.root, "staging")
    deploy.run(place.root, "staging")

    assert repair.actions != []
    assert look(place).word == "running"
    assert version(port) == made.id


def test_a_taken_port_is_refused_with_its_taker_and_left_alone(place: Project, port: int) -> None:
    release(place, 1)
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(Conflict, match=rf"port {port} is taken by .*pid {os.getpid()}"):
            deploy.run(place.root, "staging")
        assert look(place).word == "port taken"

    deploy.run(place.root, "staging")
    assert look(place).word == "running"


def test_a_release_that_answers_otherwise_is_taken_back_at_once(place: Project, port: int) -> None:
    good = release(place, 1)
    deploy.run(place.root, "staging")
    bad = break_answers(place)

    with pytest.raises(DeploymentFailed, match=f"rolled back, {good.id[:12]} runs again"):
        deploy.run(place.root, "staging")

    assert version(port) == good.id
    assert place.pinned("staging") == bad.id
    assert look(place).word == "rolled back"
    last = ledger.run(place.root, "staging").moves[0].last
    assert last is not None
    assert last.state == "failure"
    with pytest.raises(Conflict, match="failed in staging"):
        promotion.promote(place.root, "production", release=None, pull_request=False)


def test_a_release_that_comes_up_and_fails_its_smoke_test_is_taken_back(
    place: Project, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = release(place, 1)
    deploy.run(place.root, "staging")
    bad = release(place, 2)
    check = smoke.check

    def strict(url: str, folder: Path, asked: Release, **more: float) -> int:
        compared = check(url, folder, asked, **more)
        if asked.id == bad.id:
            raise DeploymentFailed("an answer is off")
        return compared

    monkeypatch.setattr(smoke, "check", strict)
    with pytest.raises(DeploymentFailed, match=f"an answer is off; rolled back, {good.id[:12]} runs again"):
        deploy.run(place.root, "staging")

    assert version(port) == good.id
    assert terraform.outputs(place.root, "staging")["release_id"] == good.id
    assert look(place).word == "rolled back"


def test_a_rehearsal_leaves_nothing_running_and_says_so(place: Project, port: int) -> None:
    release(place, 1)

    done = deploy.run(place.root, "staging", rehearse=True)

    assert "rehearsed, nothing left running" in str(done.table())
    assert processes.taker(port) is None
    assert look(place).word == "rehearsed"
    assert not (terraform.folder(place.root, "staging") / "run").exists()
    promotion.promote(place.root, "production", release=None, pull_request=False)


def test_destroy_leaves_no_process_and_no_file(place: Project) -> None:
    release(place, 1)
    deploy.run(place.root, "staging")
    everybody = [int(str(running(place)["pid"])), *[w["pid"] for w in running(place)["workers"]]]  # type: ignore[attr-defined]

    deploy.destroy(place.root, "staging")

    assert not any(processes.command_of(pid) for pid in everybody)
    assert not (terraform.folder(place.root, "staging") / "run").exists()
    assert look(place).word == "not deployed"


def test_refuses_a_tampered_bundle(place: Project, port: int) -> None:
    made = release(place, 1)
    for folder in (
        terraform.folder(place.root, "staging").parents[1] / "bundles" / made.model.bundle_id,
        place.root / "bundle",
    ):
        model = folder / bundle.MODEL
        model.write_bytes(model.read_bytes()[:-1])

    with pytest.raises(Integrity, match="neither in the store"):
        deploy.run(place.root, "staging")
    assert processes.taker(port) is None


def test_refuses_a_pin_that_was_edited_by_hand(place: Project) -> None:
    release(place, 1)
    pin = place.pin("staging")
    pin.write_text(pin.read_text().replace('"rows": 12', '"rows": 13'))

    with pytest.raises(Integrity, match="the content has id"):
        deploy.run(place.root, "staging")


def test_refuses_a_pin_that_no_commit_holds(place: Project) -> None:
    release(place, 1)
    place.pin("staging").write_text('{"experiment": null, "release": null}\n')

    with pytest.raises(RepositoryTrouble, match="not committed"):
        deploy.run(place.root, "staging")


def test_a_failed_deployment_proposes_the_rollback_and_opens_an_issue_until_one_succeeds(
    place: Project, port: int, api: GitHubAPI
) -> None:
    good = release(place, 1)
    place.git("push", "--quiet", "origin", "main")
    deploy.run(place.root, "staging")
    bad = break_answers(place)
    place.git("push", "--quiet", "origin", "main")

    with pytest.raises(DeploymentFailed, match=r"pull request #\d+.*issue #\d+"):
        deploy.run(place.root, "staging")

    assert version(port) == good.id
    (issue,) = api.issues.values()
    assert issue["title"] == f"Release {bad.id[:12]} failed in staging"
    assert f"rolled back, {good.id[:12]} runs again" in issue["body"]
    assert [pull["head"] for pull in api.pulls.values()] == ["pin/staging"]
    assert [(s["context"], s["state"]) for s in api.statuses] == [
        ("deploy (staging)", "failure"),
        ("deploy (staging)", "success"),
    ]
    promotion.rollback(place.root, "staging", to=None, reason="it failed", pull_request=False)
    place.git("push", "--quiet", "origin", "main")
    deploy.run(place.root, "staging")
    assert issue["state"] == "closed"


def test_status_says_when_the_pin_moved_and_nothing_was_deployed_since(place: Project) -> None:
    release(place, 1)
    assert look(place).word == "not deployed"
    deploy.run(place.root, "staging")
    release(place, 2)

    assert look(place).word == "pending"


def test_status_sees_a_foreign_process_on_the_port(place: Project, port: int) -> None:
    release(place, 1)
    deploy.run(place.root, "staging")
    local.stop(terraform.folder(place.root, "staging") / "run")

    with socket.create_server(("127.0.0.1", port)):
        found = look(place)

    assert found.word == "foreign"
    assert f"pid {os.getpid()}" in found.detail
