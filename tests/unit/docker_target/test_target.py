"""The target docker where no engine is asked: what a project says of it, and what is refused."""

from pathlib import Path

import pytest

from mergeline.errors import Usage
from mergeline.release import build, deploy, promotion, retarget, targets, terraform
from tests.unit.project import NAME, TEMPLATE, Project

OPEN = "<< cookiecutter.project >>"
FOLDERS = {"local": TEMPLATE, "docker": TEMPLATE / ".variants/docker"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose staging runs on docker."""
    made = Project.make(tmp_path / NAME)
    (made.root / "infra/environments/staging/target.tf").write_text(targets.written(NAME, "staging", "docker"))
    made.commit("Run staging on docker")
    return made


@pytest.mark.parametrize("target", FOLDERS)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_project_is_generated_as_retarget_writes_it(target: str, environment: str) -> None:
    at = FOLDERS[target] / "infra/environments" / environment / "target.tf"

    assert at.read_text(encoding="utf-8") == targets.written(OPEN, environment, target)


def test_a_release_without_an_image_is_not_pinned_where_it_cannot_run(project: Project) -> None:
    build.run(project.root, image=None)

    with pytest.raises(Usage, match="has no image, and staging runs on docker"):
        promotion.promote(project.root, "staging", release=None, pull_request=False)

    assert project.pinned("staging") is None


def test_a_release_without_an_image_does_not_move_to_docker(project: Project) -> None:
    (project.root / "infra/environments/staging/target.tf").write_text(targets.written(NAME, "staging", "local"))
    project.commit("Run staging here")
    build.run(project.root, image=None)
    promotion.promote(project.root, "staging", release=None, pull_request=False)

    with pytest.raises(Usage, match="has no image, and staging runs on docker"):
        retarget.run(project.root, "staging", "docker")

    assert terraform.target(project.root, "staging") == "local"


@pytest.mark.parametrize(
    ("environment", "target", "words"),
    [
        ("staging", "docker", "already"),
        ("staging", "mainframe", "there is no target"),
        ("dev", "docker", "always local"),
    ],
)
def test_refuses_a_move_that_makes_no_sense(project: Project, environment: str, target: str, words: str) -> None:
    with pytest.raises(Usage, match=words):
        retarget.run(project.root, environment, target)


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_what_keeps_its_state_on_a_hosted_runner_is_rehearsed(
    project: Project, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_ENVIRONMENT", "github-hosted")

    assert deploy.vanishes(project.root, environment, rehearse=False)
