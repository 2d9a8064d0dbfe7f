import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline.release import terraform
from mergeline.serve import local
from tests.tools import need
from tests.unit.project import NAME, Project


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def place(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose staging listens on a free port; nothing of it is left running."""
    need("terraform")
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "state"))
    project = Project.make(tmp_path / NAME)
    (project.root / "infra/environments/staging/terraform.tfvars").write_text(f'name = "{NAME}"\nport = {port}\n')
    project.commit("Choose a free port")
    yield project
    local.stop(terraform.folder(project.root, "staging") / "run")
