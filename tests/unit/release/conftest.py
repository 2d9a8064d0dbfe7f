from pathlib import Path

import pytest

from tests.unit.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A trained project with three environments, a git repository of its own and a state folder of its own."""
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPOSITORY", "GITHUB_OUTPUT", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "state"))
    return Project.make(tmp_path / "flight-delays")
