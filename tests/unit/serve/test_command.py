"""`model serve` and what the server loads."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from mergeline import bundle as bundles
from mergeline.errors import Conflict
from mergeline.serve import command
from mergeline.serve.command import listen
from tests.unit.serve.servers import SOURCE
from tools.ports import free_port

TRAINING = {"sklearn", "pandas", "polars", "mlflow", "dvc", "skl2onnx", "onnx", "scipy", "pyarrow", "pandera"}


@pytest.mark.parametrize("module", ["mergeline.serve.worker", "mergeline.serve.command"])
def test_the_server_loads_nothing_of_training(folder: Path, module: str) -> None:
    code = (
        f"import sys, {module}; from pathlib import Path; from mergeline.serve.worker import prepare; "
        f"prepare(Path({str(folder)!r}), None); print(*{{name.split('.')[0] for name in sys.modules}})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "onnxruntime" in loaded
    assert TRAINING.isdisjoint(loaded)


def test_serve_prints_a_curl_line_that_works_and_ends_with_ctrl_c(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "mergeline.cli", "serve", "--bundle", str(folder), "--port", str(port)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "MERGELINE_RELEASE": "r5"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    with server.stdout as said:
        title, line = said.readline(), said.readline()
        answer = subprocess.run(shlex.split(line), capture_output=True, check=True).stdout
        server.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert server.wait(10) == 0
        assert time.monotonic() - start < 2

    assert f"http://127.0.0.1:{port}" in title
    loaded = bundles.load(folder)
    decoded = msgspec.json.decode(answer)
    assert (decoded["release"], decoded["bundle"]) == ("r5", loaded.id)
    assert decoded["predictions"][0]["score"] == pytest.approx(loaded.smoke.scores[0][1])


def test_a_taken_port_is_refused_in_one_line(folder: Path) -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(Conflict, match="in use"):
        command.run(folder, host="127.0.0.1", port=taken.getsockname()[1], expect=None)
