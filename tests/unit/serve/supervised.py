"""An environment of the target `local`, as Terraform starts and switches it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from mergeline import bundle as bundles
from tests.unit.serve.servers import SOURCE
from tools.ports import free_port

NAMED = ("--name", "made", "--environment", "dev")


class Local:
    """An environment on a free port of this machine."""

    def __init__(self, state: Path) -> None:
        self.store = state / "mergeline" / "made" / "bundles"
        self._env = {**os.environ, "MERGELINE_STATE": str(state), "PYTHONPATH": str(SOURCE)}
        self.port = free_port()

    def call(self, verb: str, *options: str, spec: object = None) -> None:
        """Run `python -m mergeline.serve.local VERB`."""
        command = [sys.executable, "-m", "mergeline.serve.local", verb, *NAMED, *options]
        env = {**self._env, "MERGELINE_SPEC": msgspec.json.encode(spec).decode()}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def switch(self, release: str, folder: Path, workers: int = 1) -> None:
        """Keep the bundle in the store and pin it."""
        found = bundles.identify(folder)
        shutil.copytree(folder, self.store / found, dirs_exist_ok=True)
        self.call("switch", spec={"release": release, "bundle_id": found, "workers": workers, "env": {}, "secrets": {}})
