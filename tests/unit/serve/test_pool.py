"""`model serve --workers N`: its workers answer as one server, and end as one."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mergeline import bundle as bundles
from mergeline import events, processes
from mergeline.errors import BadSettings, Usage
from mergeline.serve import command, waiting
from tests.tools import until
from tests.unit.serve.load import BODY, REQUEST
from tests.unit.serve.made import made_rows
from tests.unit.serve.servers import SOURCE, Running
from tools.traffic import Traffic

PATIENCE = 60


@dataclass
class Pool:
    """A running `model serve --workers 2`; `server.process` is the parent."""

    server: Running
    folder: Path

    @property
    def workers(self) -> list[int]:
        """Its children's process ids."""
        lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in lines.splitlines()]
        return [pid for pid, parent in pairs if parent == self.server.process.pid]

    def said(self, message: str) -> list[dict[str, object]]:
        """The lines of the log with this message."""
        lines = [line for line in self.server.log.read_bytes().splitlines() if line.startswith(b"{")]
        return [line for line in map(msgspec.json.decode, lines) if line["message"] == message]

    def counted(self) -> float:
        """How many predictions were asked for, as one worker tells."""
        families = text_string_to_metric_families(self.server.ask("/metrics")[2].decode())
        samples = [s for f in families for s in f.samples if s.name == "mergeline_requests_total"]
        return sum(s.value for s in samples if (s.labels["route"], s.labels["status"]) == ("/predict", "200"))


def launch(folder: Path, place: Path, **environ: str) -> subprocess.Popen[bytes]:
    """Start two workers on a free port; what they say goes to `place`/log."""
    with (place / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mergeline.cli", "serve", "--bundle", folder, "--port", "0", "--workers", "2"],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "MERGELINE_RELEASE": "r1", **environ},
            stdout=subprocess.PIPE,
            stderr=log,
        )


def start(folder: Path, place: Path, **environ: str) -> Pool:
    """Serve a copy of the bundle whose column `carrier` is hashed, and wait until it says that it is ready."""
    served = Path(shutil.copytree(folder, place / "bundle"))
    rename(served, "pooled")
    process = launch(served, place, **environ)
    assert process.stdout is not None
    said = process.stdout.readline().decode()
    found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
    if found is None:
        process.wait(PATIENCE)
        raise AssertionError((place / "log").read_text())
    running = Running(process, socket.socket(), place / "log", process.stdout)
    running.port = int(found[1])
    return Pool(running, served)


def rename(folder: Path, name: str) -> str:
    """Make another bundle of it, with the same model; give its id."""
    signature = msgspec.json.decode((folder / bundles.SIGNATURE).read_bytes(), type=bundles.Signature)
    changed = msgspec.structs.replace(signature, name=name, masked={"carrier": "hash"})
    (folder / bundles.SIGNATURE).write_bytes(msgspec.json.encode(changed))
    return bundles.seal(folder)


def flip(folder: Path) -> None:
    """Change one bit of the model."""
    content = bytearray((folder / bundles.MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / bundles.MODEL).write_bytes(content)


def told(pid: int, name: str) -> str:
    """A variable of a process."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return next(pair.partition("=")[2] for pair in pairs if pair.startswith(f"{name}="))


def gone(pids: list[int]) -> bool:
    return not any(processes.command_of(pid) for pid in pids)


@pytest.fixture
def started(folder: Path, tmp_path: Path) -> Iterator[Callable[..., Pool]]:
    """Start pools; they are gone when the test ends."""
    pools: list[Pool] = []

    def one(**environ: str) -> Pool:
        pools.append(start(folder, tmp_path, **environ))
        return pools[-1]

    yield one
    for pool in pools:
        end(pool)


@pytest.fixture(scope="module")
def pool(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """One for the tests that leave it serving."""
    place = tmp_path_factory.mktemp("pool")
    running = start(
        folder, place, MERGELINE_PREDICTION_LOG=str(place / "predictions"), MERGELINE_METRICS=str(place / "counts")
    )
    yield running
    end(running)


def end(pool: Pool) -> None:
    left = pool.workers
    pool.server.stop()
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: gone(left), PATIENCE)


@pytest.mark.slow
def test_each_worker_answers_and_any_of_them_counts_all_and_hashes_alike(pool: Pool) -> None:
    log = pool.server.log.with_name("predictions")
    before, asked = pool.counted(), 0
    files: list[Path] = []

    with ThreadPoolExecutor(8) as clients:
        while len(files) < 2:
            answers = list(clients.map(pool.server.predict, [{"carrier": "Ada Lovelace", "distance": 100}] * 40))
            asked += len(answers)
            files = list(events.files(log))

    assert len({msgspec.json.encode(answer["predictions"]) for answer in answers}) == 1
    assert pool.counted() - before == asked
    hashes = {event.rows[0].features["carrier"] for event in events.read(log)}
    assert len(hashes) == 1
    assert "Ada Lovelace" not in hashes


@pytest.mark.slow
def test_a_killed_worker_is_replaced_while_the_other_answers(pool: Pool) -> None:
    ready = len(pool.said("ready"))
    killed = pool.workers[0]

    with Traffic(pool.server.port, ["r1"], made_rows(3)) as traffic:
        until(lambda: traffic.answered > 20, PATIENCE)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(pool.said("ready")) > ready, PATIENCE)
        answered = traffic.answered
        until(lambda: traffic.answered > answered + 20, PATIENCE)

    assert (traffic.lost, traffic.wrong) == ([], [])
    assert len(pool.workers) == 2
    assert killed not in pool.workers
    assert [line["how"] for line in pool.said("a worker is gone")] == ["ended with SIGKILL"]


@pytest.mark.slow
def test_a_hangup_signal_lets_every_worker_load_again(pool: Pool) -> None:
    changed = rename(pool.folder, "renamed")

    pool.server.process.send_signal(signal.SIGHUP)

    until(lambda: [line["bundle"] for line in pool.said("reloaded")] == [changed] * 2, PATIENCE)
    assert {msgspec.json.decode(pool.server.ask("/version")[2])["bundle"] for _ in range(20)} == {changed}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_what_was_accepted_is_answered_and_leaves_nothing(
    started: Callable[..., Pool], number: signal.Signals
) -> None:
    pool = started()
    workers = pool.workers
    metrics = Path(told(workers[0], "MERGELINE_METRICS"))
    assert len(list(metrics.glob("*.slots"))) == 2
    cut = len(REQUEST) - len(BODY) // 2

    with socket.create_connection(("127.0.0.1", pool.server.port), timeout=PATIENCE) as connection:
        connection.sendall(REQUEST[:cut])
        pool.server.process.send_signal(number)
        until(lambda: len(pool.said("draining")) == 2, PATIENCE)
        connection.sendall(REQUEST[cut:])
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"release":"r1"' in answer
    assert pool.server.process.wait(PATIENCE) == 0
    assert gone(workers)
    assert not metrics.exists()


@pytest.mark.slow
def test_no_worker_outlives_a_killed_parent(started: Callable[..., Pool], tmp_path: Path) -> None:
    pool = started(MERGELINE_METRICS=str(tmp_path / "counts"))
    workers = pool.workers
    assert len(list((tmp_path / "counts").glob("*.slots"))) == len(workers) == 2

    pool.server.process.kill()

    until(lambda: gone(workers), PATIENCE)


@pytest.mark.slow
def test_it_gives_up_with_the_code_of_a_worker_when_none_can_answer(started: Callable[..., Pool]) -> None:
    pool = started()
    flip(pool.folder)

    for pid in pool.workers:
        os.kill(pid, signal.SIGKILL)

    assert pool.server.process.wait(PATIENCE) == 7
    assert "error bundle/model.onnx has sha256" in pool.server.log.read_text()


@pytest.mark.slow
def test_a_damaged_bundle_is_refused_once_before_any_worker_starts(folder: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "bundle"))
    flip(damaged)

    process = launch(damaged, tmp_path)

    assert process.communicate(timeout=PATIENCE)[0] == b""
    assert process.returncode == 7
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("error bundle/model.onnx has sha256")


@pytest.mark.slow
def test_workers_that_are_not_ready_in_time_are_given_up(folder: Path, tmp_path: Path) -> None:
    process = launch(folder, tmp_path, MERGELINE_READY_SECONDS="0")

    assert process.communicate(timeout=PATIENCE)[0] == b""
    assert process.returncode == 12
    assert "error a worker was not ready after 0 s, and no other one answers" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_a_drain_of_all_workers_answers_new_connections_until_load_balancers_have_noticed(
    folder: Path, serve: Callable[..., Running]
) -> None:
    worker = serve(folder, release="r1", grace=PATIENCE, pool=True)

    worker.terminate()
    until(lambda: "draining" in worker.log.read_text())
    status, headers, _ = worker.ask("/predict", BODY)

    assert (status, headers["connection"]) == (200, "close")
    assert worker.ask("/ready")[0] == 503


def test_a_time_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERGELINE_READY_SECONDS", "1m")

    with pytest.raises(BadSettings, match="MERGELINE_READY_SECONDS: '1m' is no number"):
        waiting.ready_seconds()


@pytest.mark.parametrize("workers", [0, -2])
def test_a_server_without_a_worker_is_refused(folder: Path, workers: int) -> None:
    with pytest.raises(Usage, match=f"--workers {workers}: nothing would answer"):
        command.run(folder, host="127.0.0.1", port=0, expect=None, workers=workers)
