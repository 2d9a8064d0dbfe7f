"""The supervisor with a worker that has no model: lives, deaths and switches of processes."""

import hashlib
import os
import shutil
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline import processes, state
from mergeline.errors import Conflict, DeploymentFailed, Integrity
from mergeline.serve import local
from tests.tools import until
from tools.ports import free_port

pytestmark = pytest.mark.slow

A, B = "a" * 64, "b" * 64


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    source = Path(local.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(source)]))
    run = tmp_path / "run"
    yield run
    local.stop(run)


def bundle(store: Path, content: str, *marks: str) -> str:
    index = content.encode()
    found = hashlib.sha256(index).hexdigest()
    (store / found).mkdir(parents=True)
    (store / found / "bundle.json").write_bytes(index)
    for mark in marks:
        (store / found / mark).touch()
    return found


def switch(run: Path, release: str | None, bundle_id: str | None, **more: object) -> None:
    spec = {"release": release, "bundle_id": bundle_id, "workers": 1, "env": {}, "secrets": {}, **more}
    local.switch(run, spec, run.parent / "bundles")


def ask(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode()).split()


def pids(run: Path) -> list[int]:
    return [w["pid"] for w in state.supervisor(run).get("workers", []) if w["state"] == "ready"]


def test_answers_that_nothing_is_pinned_before_a_first_release(folder: Path, port: int) -> None:
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, None, None)

    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(port)
    assert refused.value.code == 503
    assert refused.value.read() == b'{"error": "no release is pinned here"}\n'


def test_switches_under_load_without_a_failed_request(folder: Path, port: int, tmp_path: Path) -> None:
    first, second = bundle(tmp_path / "bundles", "1"), bundle(tmp_path / "bundles", "2")
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, first)
    seen: list[str] = []
    failures: list[Exception] = []
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                seen.append(ask(port)[0])
            except Exception as error:
                failures.append(error)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    for release, bundle_id in ((B, second), (A, first), (B, second)):
        time.sleep(0.2)
        switch(folder, release, bundle_id)
    until(lambda: seen[-1] == B)
    over.set()
    for client in clients:
        client.join()

    assert not failures
    assert {A, B} == set(seen)


def test_a_killed_worker_comes_back(folder: Path, port: int, tmp_path: Path) -> None:
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, bundle(tmp_path / "bundles", "1"), workers=2)
    before = pids(folder)

    os.kill(before[0], signal.SIGKILL)

    until(lambda: len(pids(folder)) == 2 and pids(folder) != before)
    assert ask(port)[0] == A
    assert state.supervisor(folder)["restarts"] == 1


def test_once_a_switch_is_answered_no_connection_meets_the_old_release(folder: Path, port: int, tmp_path: Path) -> None:
    bundles = {A: bundle(tmp_path / "bundles", "1"), B: bundle(tmp_path / "bundles", "2")}
    local.start(folder, "127.0.0.1", port, "fake_worker")

    for release in (A, B) * 5:
        switch(folder, release, bundles[release])
        assert {ask(port)[0] for _ in range(5)} == {release}


@pytest.mark.parametrize("mark", ["refuses", "hangs"])
def test_a_release_that_does_not_come_up_leaves_the_old_one_running(
    folder: Path, port: int, tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_READY_SECONDS", "1.5")
    good, bad = bundle(tmp_path / "bundles", "1"), bundle(tmp_path / "bundles", "2", mark)
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, good)
    before = pids(folder)

    with pytest.raises(DeploymentFailed, match="damaged" if mark == "refuses" else "not ready after"):
        switch(folder, B, bad)

    assert ask(port)[0] == A
    assert pids(folder) == before


def test_a_killed_supervisor_is_replaced_and_its_workers_with_it(folder: Path, port: int, tmp_path: Path) -> None:
    bundle_id = bundle(tmp_path / "bundles", "1")
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, bundle_id)
    orphans = pids(folder)
    os.kill(state.supervisor(folder)["pid"], signal.SIGKILL)
    until(lambda: not processes.held(folder / "lock"))

    with pytest.raises(Conflict, match="supervisor is dead"):
        switch(folder, B, bundle_id)
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, B, bundle_id)

    assert ask(port)[0] == B
    assert not any(processes.command_of(pid) for pid in orphans)


def test_stop_leaves_no_process_and_no_file(folder: Path, port: int, tmp_path: Path) -> None:
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, bundle(tmp_path / "bundles", "1"))
    everybody = [state.supervisor(folder)["pid"], *pids(folder)]

    local.stop(folder)

    assert not folder.exists()
    until(lambda: not any(processes.command_of(pid) for pid in everybody))
    assert processes.taker(port) is None


def test_a_second_start_at_the_same_address_changes_nothing(folder: Path, port: int) -> None:
    local.start(folder, "127.0.0.1", port, "fake_worker")
    pid = state.supervisor(folder)["pid"]

    local.start(folder, "127.0.0.1", port, "fake_worker")

    assert state.supervisor(folder)["pid"] == pid


def test_refuses_a_taken_port_and_names_the_taker(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(Conflict, match=rf"pid {os.getpid()}\)"):
        local.start(folder, "127.0.0.1", other.getsockname()[1], "fake_worker")


def test_a_port_that_a_dying_process_still_holds_is_waited_for(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(processes, "taker", lambda _: None)  # its name is gone before its files are closed
    dying = socket.create_server(("127.0.0.1", port))
    closing = threading.Timer(0.3, dying.close)
    closing.start()

    with processes.listen("127.0.0.1", port) as listener:
        assert listener.getsockname()[1] == port
    closing.join()


def test_refuses_a_bundle_whose_index_was_changed(folder: Path, port: int, tmp_path: Path) -> None:
    found = bundle(tmp_path / "bundles", "1")
    (tmp_path / "bundles" / found / "bundle.json").write_text("changed")
    local.start(folder, "127.0.0.1", port, "fake_worker")

    with pytest.raises(Integrity, match="no bundle"):
        switch(folder, A, found)


def test_gives_the_worker_its_environment_and_its_secrets(folder: Path, port: int, tmp_path: Path) -> None:
    (tmp_path / "greeting").write_text("hello\n")
    local.start(folder, "127.0.0.1", port, "fake_worker")

    switch(folder, A, bundle(tmp_path / "bundles", "1"), secrets={"GREETING": str(tmp_path / "greeting")})

    assert ask(port)[1] == "hello"


def test_a_worker_gets_none_of_the_deployers_tokens(
    folder: Path, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a secret")
    monkeypatch.setenv("RUNNER_TRACKING_ID", "a runner ends what carries it")
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, bundle(tmp_path / "bundles", "1"))

    for pid in (state.supervisor(folder)["pid"], *pids(folder)):
        told = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PATH=" in told
        assert b"a secret" not in told
        assert b"RUNNER_TRACKING_ID" not in told


def test_workers_run_the_code_of_whoever_deployed_last(
    folder: Path, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.start(folder, "127.0.0.1", port, "fake_worker")
    newer = tmp_path / "newer"
    newer.mkdir()
    shutil.copy(Path(__file__).with_name("fake_worker.py"), newer)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(newer), str(Path(local.__file__).parents[2])]))

    switch(folder, A, bundle(tmp_path / "bundles", "1"))

    (pid,) = pids(folder)
    assert f"PYTHONPATH={newer}".encode() in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_worker_that_keeps_dying_is_started_less_and_less_often(folder: Path, port: int, tmp_path: Path) -> None:
    found = bundle(tmp_path / "bundles", "1")
    local.start(folder, "127.0.0.1", port, "fake_worker")
    switch(folder, A, found)
    (tmp_path / "bundles" / found / "refuses").touch()

    os.kill(pids(folder)[0], signal.SIGKILL)
    time.sleep(2.5)

    assert 3 <= state.supervisor(folder)["restarts"] <= 5
