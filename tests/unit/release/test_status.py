from pathlib import Path
from threading import Barrier

import pytest

from mergeline.release import pins, status
from mergeline.release.status import Environment
from tests.unit.project import Project


def test_environments_are_looked_at_side_by_side_and_told_in_their_order(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = pins.environments(project.root)
    all_of_them = Barrier(len(names))

    def look(_: Path, name: str) -> Environment:
        all_of_them.wait(20)
        return Environment(name=name, word="no release", pinned=None, running=None, url=None)

    monkeypatch.setattr(status, "look", look)

    assert len(names) == 3
    assert [found.name for found in status.run(project.root).environments] == names
