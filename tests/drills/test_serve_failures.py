"""What goes wrong with a server or its clients: what must not answer does not, and good requests are answered right."""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import pytest

from mergeline import bundle as bundles
from tests.drills.conftest import Counts
from tests.tools import until
from tests.unit.serve.made import export, made_rows
from tests.unit.serve.servers import Running, start
from tests.unit.serve.supervised import Local
from tools.serving import load
from tools.traffic import Traffic

pytestmark = pytest.mark.slow

HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
ROWS = made_rows(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("drill") / "bundle")


def flipped(folder: Path) -> None:
    """Change one bit of the model."""
    content = bytearray((folder / bundles.MODEL).read_bytes())
    content[len(content) // 3] ^= 1
    (folder / bundles.MODEL).write_bytes(content)


def missing(folder: Path) -> None:
    (folder / bundles.SMOKE).unlink()


def foreign(folder: Path) -> None:
    """Put code of somebody else in place of the features."""
    (folder / bundles.FEATURES).write_text("def features(raw):\n    return {}\n")


def foreign_and_sealed(folder: Path) -> None:
    """The same, with hashes that match: only the id that the pin names gives it away."""
    foreign(folder)
    bundles.seal(folder)


def foreign_with_imports(folder: Path) -> None:
    """The same under no pin: code that reaches for more than numpy."""
    (folder / bundles.FEATURES).write_text("import os\n\n" + (folder / bundles.FEATURES).read_text())
    bundles.seal(folder)


@pytest.mark.usefixtures("counts")
@pytest.mark.parametrize(
    ("harm", "pinned", "said"),
    [
        (flipped, True, "model.onnx has sha256"),
        (missing, True, "smoke.json is missing"),
        (foreign, True, "features.py has sha256"),
        (foreign_and_sealed, True, "holds bundle"),
        (foreign_with_imports, False, "imports os"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_harmed_bundle_is_refused_before_the_first_answer(
    harm: Callable[[Path], None], pinned: bool, said: str, folder: Path, tmp_path: Path
) -> None:
    harmed = Path(shutil.copytree(folder, tmp_path / "bundle"))
    harm(harmed)

    server = start(harmed, expect=bundles.identify(folder) if pinned else None, ready=False)
    try:
        assert server.process.wait(60) == 7
        (line,) = server.log.read_text().splitlines()
        assert said in line
        assert server.pipe.read() == b"", "it never said that it was ready"
    finally:
        server.stop()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    local = Local(tmp_path / "state")
    local.call("start", "--port", str(local.port))
    yield local
    local.call("stop")


def workers(local: Local) -> list[int]:
    """Give the process ids of the environment's workers."""
    lines = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    found = [line.split(maxsplit=1) for line in lines.splitlines()]
    return [int(pid) for pid, *args in found if args and "serve.worker" in args[0] and str(local.store) in args[0]]


def started_again(local: Local, killed: int) -> bool:
    found = workers(local)
    return len(found) == 2 and killed not in found


def test_of_two_workers_one_is_killed_again_and_again_and_the_other_answers(
    local: Local, folder: Path, counts: Counts
) -> None:
    release = "1" * 64
    local.switch(release, folder, workers=2)
    until(lambda: len(workers(local)) == 2)

    with Traffic(local.port, [release], ROWS) as traffic:
        for _ in range(2):
            killed = workers(local)[0]
            os.kill(killed, signal.SIGKILL)
            until(partial(started_again, local, killed), 60)
        answered = traffic.answered
        until(lambda: traffic.answered > answered + 20)

    counts.answered, counts.lost, counts.wrong = traffic.answered, traffic.lost, traffic.wrong


def test_five_times_too_much_is_refused_at_once_and_the_rest_answered_right(
    folder: Path, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_MAX_REQUESTS", "2")
    body = msgspec.json.encode({"rows": made_rows(500)})
    server = start(folder, release="r1")
    ask = partial(load.steady, server.port, "/predict", [body])
    seconds = float(os.environ.get("DRILL_SECONDS", "3"))
    try:
        can = 1 / statistics.median(timeit.repeat(lambda: server.ask("/predict", body), number=1, repeat=50))
        flood = ask(rate=5 * can, seconds=seconds, connections=64)
        after = ask(rate=can / 4, seconds=1, connections=1)
    finally:
        server.stop()

    right = after[0].body
    counts.answered = len(flood)
    counts.lost = [repr(one.head) for one in flood if one.status not in (200, 503)]
    counts.wrong = [repr(one.body[:200]) for one in flood if one.status == 200 and one.body != right]
    refused = [one for one in flood if one.status == 503]
    assert all(b"retry-after: 1" in one.head for one in refused)
    assert len(flood) - len(refused) > 20
    assert len(refused) > len(flood) / 4
    assert {(one.status, one.body) for one in after} == {(200, right)}


def drip(port: int, body: bytes) -> bytes:
    """Send a body byte by byte until the server ends the connection; give what it said."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body))
        connection.settimeout(0.1)
        said = b""
        for at in range(len(body)):
            try:
                connection.sendall(body[at : at + 1])
                if not (piece := connection.recv(65_536)):
                    return said
                said += piece
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return said
        raise AssertionError("the server waited for all of it")


def pour(port: int, megabytes: int) -> bytes:
    """Send a body of so many MB as fast as it is taken; give what the server said, which it may not wait to be heard."""
    piece = b" " * 2**20
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % (megabytes * 2**20))
            for _ in range(megabytes):
                connection.sendall(piece)
            return connection.recv(65_536)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_huge_and_slow_bodies_end_and_good_requests_between_are_answered(
    folder: Path, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_BODY_SECONDS", "2")
    server: Running = start(folder, release="r1")
    right = server.predict({"rows": ROWS})
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answer = server.predict({"rows": ROWS})
                counts.answered += 1
                if answer != right:
                    counts.wrong.append(repr(answer))
            except (OSError, AssertionError) as error:
                counts.lost.append(repr(error))
            time.sleep(0.005)

    try:
        with ThreadPoolExecutor(12) as pool:
            good = pool.submit(ask)
            slow = [pool.submit(drip, server.port, b" " * 10_000) for _ in range(8)]
            huge = [pool.submit(pour, server.port, 100) for _ in range(2)]
            try:
                said = [one.result(120) for one in slow]
                loud = [one.result(120) for one in huge]
            finally:
                over.set()
            good.result(60)
    finally:
        server.stop()

    assert all(b" 408 " in one.splitlines()[0] for one in said)
    assert all(one == b"" or b" 413 " in one.splitlines()[0] for one in loud)
    assert counts.answered > 20
