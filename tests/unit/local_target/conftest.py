import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline import bundle
from mergeline.release import build, promotion, terraform
from mergeline.release.manifest import Release
from mergeline.serve import local
from tests.local_forge.api import GitHubAPI, running
from tests.tools import need
from tests.unit.project import NAME, Project
from tools.ports import free_port


def release(project: Project, seed: int) -> Release:
    """Train a model, release it, and pin it in staging."""
    project.train(seed)
    made = build.run(project.root, image=None).release
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    return made


def break_answers(project: Project) -> Release:
    """Pin a release whose bundle is sound but has smoke scores that its model does not give."""
    project.train(3)
    smoke = project.root / "bundle" / bundle.SMOKE
    found = json.loads(smoke.read_text())
    found["scores"] = [[1 - s for s in row] for row in found["scores"]]
    smoke.write_text(json.dumps(found))
    bundle.seal(project.root / "bundle")
    project.lock()
    made = build.run(project.root, image=None).release
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    return made


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    return free_port()


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


@pytest.fixture
def api(place: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubAPI]:
    """The forge of that project, with main as it is now; this process acts with a workflow's own token."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "--bare", "--quiet", place.root, origin], check=True, capture_output=True)
    place.git("remote", "add", "origin", str(origin))
    with running("octo/flight-delays", origin) as served:
        monkeypatch.setenv("GITHUB_TOKEN", "workflow-token")
        monkeypatch.setenv("GITHUB_REPOSITORY", "octo/flight-delays")
        monkeypatch.setenv("GITHUB_API_URL", served.url)
        yield served
    assert served.wrong == []
