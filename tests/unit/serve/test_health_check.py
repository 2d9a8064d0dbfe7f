"""The image's check of its own health: what it says of a server that is ready, of one that is not, and of none."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools.bake import TEMPLATE

PROJECT = TEMPLATE / "<<cookiecutter.project>>"
PORT = "8000"


def command() -> list[str]:
    """Give what the Dockerfile runs."""
    [found] = re.findall(r"HEALTHCHECK .*\\\n  CMD (\[.*\])", (PROJECT / "Dockerfile").read_text(encoding="utf-8"))
    return list(json.loads(found))


def healthy(port: int) -> bool:
    """Run it against another port."""
    _, *arguments = command()
    asked = [argument.replace(PORT, str(port)) for argument in arguments]
    return subprocess.run([sys.executable, *asked], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("answer", "expected"), [(200, True), (503, False)])
def test_a_server_is_healthy_when_it_says_that_it_is_ready(answer: int, expected: bool) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer if self.path == "/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert healthy(server.server_port) is expected


def test_where_nobody_listens_nobody_is_healthy() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        free = server.server_port
    assert not healthy(free)


def test_fargate_asks_as_the_image_does() -> None:
    module = (PROJECT / "infra/modules/service/aws/main.tf").read_text(encoding="utf-8")

    assert f"{json.dumps(['CMD', *command()])}" in module
