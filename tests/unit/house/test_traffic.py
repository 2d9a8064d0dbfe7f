"""What counts as lost and as wrong in a drill and a benchmark of rollouts."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tools.rollouts import Kind
from tools.traffic import Traffic

ROWS = [{"distance": 1.0}]


class Answers(http.server.ThreadingHTTPServer):
    """Answers the n-th request as `say(n)` says: a status and a release, or None for a connection that breaks."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.say: Callable[[int], tuple[int, str] | None] = lambda _: (200, "right")
        self.count = 0
        self.guard = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Answers
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.guard:
            self.server.count += 1
            said = self.server.say(self.server.count)
        if said is None:
            self.close_connection = True
            return
        content = json.dumps({"release": said[1]}).encode()
        self.send_response(said[0])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Answers]:
    with Answers() as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def watch(server: Answers) -> Traffic:
    """Send some requests."""
    with Traffic(server.server_port, ["right"], ROWS) as traffic:
        while server.count < 60:
            time.sleep(0.01)
    return traffic


def test_answers_of_the_right_release_are_neither_lost_nor_wrong(server: Answers) -> None:
    traffic = watch(server)

    assert traffic.answered >= 57
    assert (traffic.lost, traffic.wrong) == ([], [])


def test_another_release_is_wrong_until_it_is_right(server: Answers) -> None:
    server.say = lambda n: (200, "other" if n % 10 == 0 else "right")

    assert set(watch(server).wrong) == {"other"}


def test_a_connection_that_breaks_is_asked_again_once(server: Answers) -> None:
    server.say = lambda n: None if n == 20 else (200, "right")
    assert watch(server).lost == []

    server.count, server.say = 0, lambda n: None if 20 <= n <= 30 else (200, "right")
    assert watch(server).lost != []


def test_an_error_of_the_server_is_a_lost_request(server: Answers) -> None:
    server.say = lambda n: (503, "right") if 20 <= n <= 30 else (200, "right")

    assert "503" in watch(server).lost[0]


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        (Kind("local", 20, [1.0, 2.0]), False),
        (Kind("local", 20, [1.0, 20.5]), True),
        (Kind("local", 20, [1.0], plans=1), True),
        (Kind("local", 20, [1.0], differing=1), True),
    ],
)
def test_a_rollout_that_is_slow_or_leaves_something_to_do_breaks_the_benchmark(kind: Kind, broken: bool) -> None:
    assert kind.broken is broken
