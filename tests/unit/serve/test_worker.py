"""The life of a worker: ready, draining, gone; and what it refuses to serve."""

import contextlib
import http.client
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mergeline import bundle as bundles
from tests.unit.serve.load import BODY, Load
from tests.unit.serve.made import export
from tests.unit.serve.servers import Running

pytestmark = pytest.mark.slow

Serve = Callable[..., Running]


def test_a_switch_under_load_fails_no_request(serve: Serve, folder: Path, tmp_path: Path) -> None:
    other = export(tmp_path / "bundle", name="other", depth=2)
    old = serve(folder, release="old", grace=2.0)

    with Load(old.port) as load:
        time.sleep(0.5)
        new = serve(other, release="new", beside=old)
        old.terminate()
        assert old.process.wait(20) == 0
        after = load.releases["old"]
        time.sleep(0.5)

    assert load.failures == []
    assert load.releases["old"] == after > 50
    assert load.releases["new"] > 50
    assert new.process.poll() is None


def test_once_a_drain_is_announced_no_new_connection_meets_the_old_one(serve: Serve, folder: Path) -> None:
    old = serve(folder, release="old", grace=10)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", old.port, timeout=10)) as connection:
        connection.request("GET", "/version")
        assert b'"release":"old"' in connection.getresponse().read()
        new = serve(folder, release="new", beside=old)
        old.terminate()

        assert old.pipe.read() == b""  # it lasts until the old one closes it
        answers = {msgspec.json.decode(new.ask("/version")[2])["release"] for _ in range(100)}

        assert old.process.poll() is None
    assert answers == {"new"}


def test_a_request_that_is_on_its_way_when_the_drain_begins_is_answered(serve: Serve, folder: Path) -> None:
    server = serve(folder, release="r1", grace=0.2)
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(
        BODY
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + BODY[:10])
        time.sleep(0.2)

        server.terminate()
        time.sleep(0.8)
        connection.sendall(BODY[10:])
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"release":"r1"' in answer
    assert server.process.wait(10) == 0


def test_an_open_connection_is_told_to_close_while_draining(serve: Serve, folder: Path) -> None:
    server = serve(folder, grace=5)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n")
        before = connection.recv(65_536)
        server.terminate()
        time.sleep(0.5)
        connection.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n")
        during = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert b" 200 " in before
    assert b"connection: close" not in before.lower()
    assert b" 503 " in during
    assert b"connection: close" in during.lower()
    assert server.process.wait(2) == 0, "with no connection left the grace period ends"


def test_an_idle_worker_goes_at_once(serve: Serve, folder: Path) -> None:
    server = serve(folder, grace=30)

    server.terminate()

    assert server.process.wait(5) == 0


@pytest.mark.parametrize("name", bundles.FILES)
def test_a_changed_bundle_is_refused_with_one_line(serve: Serve, folder: Path, tmp_path: Path, name: str) -> None:
    changed = Path(shutil.copytree(folder, tmp_path / "bundle"))
    content = bytearray((changed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (changed / name).write_bytes(content)

    server = serve(changed, ready=False)

    assert server.process.wait(20) == 7
    assert len(server.log.read_text().splitlines()) == 1
    assert name in server.log.read_text()


def test_another_bundle_than_expected_is_refused(serve: Serve, folder: Path) -> None:
    server = serve(folder, expect="0" * 64, ready=False)

    assert server.process.wait(20) == 7
    assert "not 000000000000" in server.log.read_text()


def test_a_bundle_that_answers_otherwise_than_when_it_was_exported_is_refused(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(folder, tmp_path / "bundle"))
    smoke = msgspec.json.decode((changed / bundles.SMOKE).read_bytes(), type=bundles.Smoke)
    off = [[a + 0.1, b - 0.1] for a, b in smoke.scores]
    (changed / bundles.SMOKE).write_bytes(msgspec.json.encode(bundles.Smoke(smoke.rows, off)))
    bundles.seal(changed)

    server = serve(changed, ready=False)

    assert server.process.wait(20) == 7
    assert "smoke.json" in server.log.read_text()


def test_features_that_cannot_work_with_a_row_refuse_it(serve: Serve, folder: Path, tmp_path: Path) -> None:
    picky = Path(shutil.copytree(folder, tmp_path / "bundle"))
    features = (picky / bundles.FEATURES).read_text()
    refusing = 'planned = raw["planned"]\n    [int(value[1:]) for value in raw["carrier"] if value.startswith("#")]'
    (picky / bundles.FEATURES).write_text(features.replace('planned = raw["planned"]', refusing))
    bundles.seal(picky)
    server = serve(picky)

    status, _, answer = server.ask("/predict", b'{"distance": 1, "carrier": "#x"}')

    assert status == 422
    assert "ValueError" in msgspec.json.decode(answer)["error"]
    assert server.predict({"distance": 1, "carrier": "#1"})


def test_the_log_is_json_lines_and_names_the_refused_request(serve: Serve, folder: Path) -> None:
    server = serve(folder, release="r1")
    server.ask("/predict", b"{", x_request_id="order-66")
    server.terminate()
    server.process.wait(10)

    lines = [msgspec.json.decode(line) for line in server.log.read_text().splitlines()]

    assert [line["message"] for line in lines] == ["ready", "refused", "draining", "stopped"]
    assert lines[0]["release"] == "r1"
    assert (lines[1]["request"], lines[1]["status"]) == ("order-66", 400)
