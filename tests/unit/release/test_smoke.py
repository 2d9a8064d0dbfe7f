"""A deployed server is asked what the bundle was tested with, also while it takes over from the one before."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mergeline.errors import DeploymentFailed
from mergeline.release import build, smoke
from mergeline.release.manifest import Release
from tests.unit.project import Project

Answer = tuple[int, dict[str, Any]]


@contextmanager
def server(predict: Callable[[], Answer], version: dict[str, Any]) -> Iterator[str]:
    """Answer /version and /ready as one release does, and /predict as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = predict() if self.path == "/predict" else (200, version)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Say nothing on the terminal."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        served.server_close()


def made(project: Project) -> tuple[Release, list[float]]:
    """Give a release of the project's bundle, and the scores of its smoke rows."""
    found = json.loads((project.root / "bundle/smoke.json").read_text())
    return build.run(project.root, image=None).release, [row[1] for row in found["scores"]]


def answer(release: str, scores: list[float]) -> Answer:
    return 200, {"release": release, "predictions": [{"score": score} for score in scores]}


def test_a_request_that_the_server_before_still_takes_does_not_fail_the_new_one(project: Project) -> None:
    release, scores = made(project)
    taken = iter([answer("before", [0.5] * len(scores)), (422, {"error": "no such column"})])

    def predict() -> Answer:
        return next(taken, answer(release.id, scores))

    with server(predict, {"release": release.id, "bundle": release.model.bundle_id}) as url:
        rows = smoke.check(url, project.root / "bundle", release)

    assert rows == len(scores) > 0
    assert next(taken, None) is None, "both were asked"


def test_scores_of_the_release_itself_that_are_off_fail_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, scores = made(project)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))

    with (
        server(
            lambda: answer(release.id, [score + 0.1 for score in scores]),
            {"release": release.id, "bundle": release.model.bundle_id},
        ) as url,
        pytest.raises(DeploymentFailed, match=r"does not answer as the bundle was tested \(off by up to 0\.1\)"),
    ):
        smoke.check(url, project.root / "bundle", release)


def test_a_server_before_that_never_goes_fails_with_its_name(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    release, scores = made(project)
    monkeypatch.setattr(smoke, "SWITCH", 0.1)

    with (
        server(lambda: answer("before", scores), {"release": release.id, "bundle": release.model.bundle_id}) as url,
        pytest.raises(DeploymentFailed, match=f"serves release before, not {release.id[:12]}"),
    ):
        smoke.check(url, project.root / "bundle", release)
