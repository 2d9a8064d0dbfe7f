"""The real worker under the real supervisor, as Terraform starts and switches them."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mergeline import bundle as bundles
from tests.unit.serve.load import Load
from tests.unit.serve.made import export
from tests.unit.serve.servers import SOURCE

NAMED = ("--name", "made", "--environment", "dev")


class Local:
    """An environment on a free port of this machine."""

    def __init__(self, state: Path) -> None:
        self.store = state / "mergeline" / "made" / "bundles"
        self._env = {**os.environ, "MERGELINE_STATE": str(state), "PYTHONPATH": str(SOURCE)}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def call(self, verb: str, *options: str, spec: object = None) -> None:
        """Run `python -m mergeline.serve.local VERB`."""
        command = [sys.executable, "-m", "mergeline.serve.local", verb, *NAMED, *options]
        env = {**self._env, "MERGELINE_SPEC": msgspec.json.encode(spec).decode()}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def switch(self, release: str, folder: Path) -> None:
        """Keep the bundle in the store and pin it."""
        found = bundles.identify(folder)
        shutil.copytree(folder, self.store / found, dirs_exist_ok=True)
        self.call("switch", spec={"release": release, "bundle_id": found, "workers": 1, "env": {}, "secrets": {}})


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    local = Local(tmp_path / "state")
    local.call("start", "--port", str(local.port))
    yield local
    local.call("stop")


@pytest.mark.slow
def test_forth_and_back_under_load_fails_no_request(local: Local, folder: Path, tmp_path: Path) -> None:
    first, second = "1" * 64, "2" * 64
    other = export(tmp_path / "other", name="other", depth=2)
    local.switch(first, folder)

    with Load(local.port) as load:
        time.sleep(0.5)
        local.switch(second, other)
        time.sleep(0.5)
        local.switch(first, folder)
        time.sleep(0.5)

    assert load.failures == []
    assert load.releases[first] > 50
    assert load.releases[second] > 50
