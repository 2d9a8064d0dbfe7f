"""What people and benchmarks ask with: curl as the README prints it is in test_example.py, MLflow in test_invocations.py."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.tools import need
from tests.unit.serve.load import BODY
from tests.unit.serve.servers import Running

SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [[%s]]
"""


@pytest.mark.slow
def test_wrk_gets_nothing_but_answers(server: Running, tmp_path: Path) -> None:
    script = tmp_path / "predict.lua"
    script.write_text(SCRIPT % BODY.decode())

    said = subprocess.run(
        [need("wrk"), "-t1", "-c16", "-d2s", "-s", script, f"http://127.0.0.1:{server.port}/predict"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert int(re.findall(r"(\d+) requests in", said)[0]) > 100
    assert "Non-2xx" not in said
    assert "Socket errors" not in said
