"""The table of targets: what is written, which image runs, and what is refused before anything moves."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline.errors import DeploymentFailed, Usage
from mergeline.release import build, experiment, promotion, retarget, targets, terraform
from tests.unit.project import NAME, TEMPLATE, Project

pytestmark = pytest.mark.slow

STAGING = Path("infra/environments/staging")
DIGEST = f"sha256:{'0' * 64}"
IMAGES = {
    "none": None,
    "local": DIGEST,
    "tag": "registry.example/model:latest",
    "registry": f"registry.example/m@{DIGEST}",
}
RUNS = {
    "local": {"none", "local", "tag", "registry"},
    "docker": {"local", "tag", "registry"},
    "kubernetes": {"registry"},
    "aws": {"registry"},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path / NAME)


def settle(project: Project, target: str) -> None:
    """Say that staging runs on a target."""
    (project.root / STAGING / "target.tf").write_text(targets.written(NAME, "staging", target))
    project.commit(f"Run staging on {target}")


def given(project: Project, **inputs: Any) -> None:
    """Add to staging's terraform.tfvars."""
    at = project.root / STAGING / "terraform.tfvars"
    at.write_text(at.read_text() + "".join(f"{name} = {json.dumps(value)}\n" for name, value in inputs.items()))
    project.commit("Say more of staging")


def test_every_module_is_a_target_and_every_target_a_module() -> None:
    assert {at.parent.name for at in TEMPLATE.glob("infra/modules/service/*/main.tf")} == set(targets.TARGETS)


@pytest.mark.parametrize("target", targets.TARGETS)
def test_what_is_written_names_target_provider_and_state(target: str, project: Project) -> None:
    settle(project, target)
    text = (project.root / STAGING / "target.tf").read_text()

    assert terraform.target(project.root, "staging") == target
    assert terraform.kept_here(project.root, "staging") == targets.TARGETS[target].here
    assert (f'version = "{targets.TARGETS[target].version}"' in text) == (target != "local")


@pytest.mark.parametrize("target", targets.TARGETS)
def test_a_module_is_given_all_that_only_it_knows(target: str) -> None:
    extras = TEMPLATE / "infra/modules/service" / target / "extras.tf"
    declared = set(re.findall(r'^variable "(\w+)"', extras.read_text(), re.MULTILINE))

    assert set(targets.TARGETS[target].given) == (declared if target in ("kubernetes", "aws") else set())


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("target", targets.TARGETS)
def test_a_release_is_pinned_only_where_its_image_can_run(target: str, image: str, project: Project) -> None:
    settle(project, target)
    made = build.run(project.root, image=None).release
    changed = msgspec.structs.replace(made, image=IMAGES[image])

    if image in RUNS[target]:
        targets.need_image(target, "staging", changed)
    else:
        with pytest.raises(Usage, match=rf"has no image.*, and staging runs on {target}"):
            targets.need_image(target, "staging", changed)


@pytest.mark.parametrize("target", [name for name, runs in RUNS.items() if "none" not in runs])
def test_promotion_refuses_what_the_target_cannot_run(target: str, project: Project) -> None:
    settle(project, target)
    build.run(project.root, image=None)

    with pytest.raises(Usage, match=f"has no image.*, and staging runs on {target}"):
        promotion.promote(project.root, "staging", release=None, pull_request=False)

    assert project.pinned("staging") is None


def test_a_move_wants_an_image_of_the_experiment_s_release_too(project: Project) -> None:
    made = build.run(project.root, image=None).release
    good = msgspec.structs.replace(made, image=IMAGES["registry"])
    given(project, kubernetes={"address": "http://x.y"})

    with pytest.raises(Usage, match=f"release {made.id[:12]} has no image"):
        targets.need(project.root, "staging", "kubernetes", [good, made])


def test_a_move_to_a_cluster_wants_to_know_how_it_is_reached(project: Project) -> None:
    with pytest.raises(Usage, match="says nothing of kubernetes"):
        retarget.run(project.root, "staging", "kubernetes")

    assert terraform.target(project.root, "staging") == "local"


def test_a_move_to_a_cluster_that_is_not_there_destroys_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = tmp_path / "bin/kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(kubectl.parent), prepend=":")
    given(project, kubernetes={"gateway": {"name": "a", "namespace": "b"}, "context": "far", "address": "http://x.y"})

    with pytest.raises(
        DeploymentFailed, match=r"no cluster answers: .*--context far get --raw /version --request-timeout=10s"
    ):
        retarget.run(project.root, "staging", "kubernetes")

    assert terraform.target(project.root, "staging") == "local"


def test_a_kubeconfig_of_several_files_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    given(project, kubernetes={"address": "http://x.y"})

    with pytest.raises(Usage, match="KUBECONFIG names several files"):
        retarget.run(project.root, "staging", "kubernetes")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('kubernetes = {\n  gateway = { name = "g", namespace = "inner" }\n  namespace = "outer"\n}\n', "outer"),
        ('kubernetes = { address = "http://x.y", namespace = "outer" }\n', "outer"),
        ('kubernetes = { gateway = { name = "g", namespace = "inner" } }\n', None),
        ('aws = { namespace = "other" }\n', None),
    ],
)
def test_a_text_of_an_object_in_the_variables_is_found(text: str, found: str | None, project: Project) -> None:
    (project.root / STAGING / "terraform.tfvars").write_text(text)

    assert terraform.given(project.root, "staging", "kubernetes", "namespace") == found


@pytest.mark.parametrize("target", [name for name, runs in RUNS.items() if "none" not in runs])
def test_an_experiment_is_refused_whose_image_the_target_cannot_run(target: str, project: Project) -> None:
    build.run(project.root, image=None)
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    settle(project, target)
    project.train(5)
    other = build.run(project.root, image=None).release

    with pytest.raises(Usage, match=f"has no image.*, and staging runs on {target}"):
        experiment.start(
            project.root,
            "staging",
            release=other.id,
            kind="ab",
            share=None,
            key=None,
            limits=[],
            pull_request=False,
        )
