"""release.yml and deploy.yml, run: what a merge ships, on unprotected and protected main, with and without an App."""

import json
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.local_forge.api import GitHubAPI, Token
from tests.workflows.conftest import Make, git, propose
from tests.workflows.runner import Run, act

pytestmark = pytest.mark.slow
STAGING, PRODUCTION = (f"infra/environments/{name}/pin.json" for name in ("staging", "production"))


@dataclass
class Hosted:
    """A repository on the forge, and its workflows' runs so far."""

    api: GitHubAPI
    clone: Path
    folder: Path
    cache: Path
    runs: int = 0

    def run(self, workflow: str, event: str, told: dict[str, Any], **more: Any) -> Run:
        """Run a workflow at what is checked out in the clone."""
        self.runs += 1
        return act(
            self.clone, workflow, event, told, self.api, self.folder / f"run-{self.runs}", cache=self.cache, **more
        )

    def push(self, before: str, workflow: str = "release.yml", **more: Any) -> Run:
        """Run a workflow for a push that made main what it is now."""
        git(self.clone, "fetch", "--quiet", str(self.api.origin), "+refs/heads/*:refs/remotes/origin/*")
        git(self.clone, "switch", "--quiet", "--force-create", "main", "origin/main")
        told = {"ref": "refs/heads/main", "before": before, "after": self.api.commit("main"), "repository": {}}
        return self.run(workflow, "push", told, **more)

    def pinned(self, pin: str, rev: str = "main") -> str | None:
        """Give the bundle that a pin names at a revision of the forge."""
        release = json.loads(self.api.git("show", f"{rev}:{pin}"))["release"]
        return str(release["model"]["bundle_id"]) if release else None


@pytest.fixture
def project(hosted: Make, small: Path, tmp_path: Path) -> Hosted:
    """The small project on the forge, with ports that are free here."""
    copy = tmp_path / "copy"
    shutil.copytree(small, copy)
    for name in ("staging", "production"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            values = copy / "infra" / "environments" / name / "terraform.tfvars"
            port = next(line for line in values.read_text().splitlines() if line.startswith("port"))
            values.write_text(values.read_text().replace(port, f"port = {free.getsockname()[1]}"))
    api, clone = hosted(copy)
    return Hosted(api, clone, tmp_path, small.parent / "cache")


def test_a_merge_ships_the_model_that_was_reviewed(project: Hosted) -> None:
    api = project.api
    number = propose(api, project.clone, "faster", {"params.yaml": ("learning_rate: 0.1", "learning_rate: 0.09")})
    trained = project.run("train.yml", "pull_request", api.event(number))
    assert trained.jobs["train"] == "success", trained.printed
    api.upload(api.finish_run("train.yml", api.commit("faster")), "training", trained.artifacts / "training")
    reviewed = json.loads((trained.artifacts / "training/report/report.json").read_text())["candidate"]["bundle"]
    before = api.commit("main")
    merged = api.merge(number)

    released = project.push(before)

    assert released.code == 0, released.printed
    assert "nothing ran" in released.printed
    assert project.pinned(STAGING) == reviewed
    assert f"Pull-request: #{number}" in api.git("log", "-1", "--format=%B", "main")
    assert api.commit("main^") == merged
    assert released.jobs["deploy"] == "success", "a push with the workflow's own token starts no workflow"
    assert [(s["context"], s["state"], s["sha"]) for s in api.statuses if s["context"].startswith("deploy")] == [
        ("deploy (staging)", "success", api.commit("main"))
    ]
    promotion = next(p for p in api.pulls.values() if p["head"] == "pin/production")
    assert project.pinned(PRODUCTION, "pin/production") == reviewed
    assert project.pinned(PRODUCTION) is None, "production moves when a person merges"

    planned = project.run("deploy.yml", "pull_request", api.event(promotion["number"]))
    assert planned.code == 0, planned.printed
    assert any("Plan for production" in c["body"] for c in api.comments)
    assert not any("Plan for staging" in c["body"] for c in api.comments)

    before = api.commit("main")
    api.merge(promotion["number"])
    deployed = project.push(before, "deploy.yml")
    assert deployed.code == 0, deployed.printed
    assert "rehearsed, nothing left running" in deployed.printed
    assert ("deploy (production)", "success") in [(s["context"], s["state"]) for s in api.statuses]

    again = project.push(before)
    assert again.code == 0, again.printed
    assert "Nothing to release" in again.printed
    assert "deploy" not in again.jobs


def test_the_next_pull_request_restores_its_base_from_the_release(project: Hosted) -> None:
    api = project.api
    released = project.push(api.commit("main"))
    assert released.code == 0, released.printed
    number = propose(api, project.clone, "slower", {"params.yaml": ("learning_rate: 0.1", "learning_rate: 0.09")})

    project.cache = project.folder / "empty"  # as on a hosted runner
    trained = project.run("train.yml", "pull_request", api.event(number))

    assert "comment" in trained.jobs, trained.printed
    report = json.loads((trained.artifacts / "training/report/report.json").read_text())
    assert report["base"]["bundle"] == project.pinned(STAGING)
    assert report["base"]["stages"] == []
    assert "validate" not in report["candidate"]["stages"]


def test_a_protected_main_gets_a_release_pull_request(project: Hosted) -> None:
    api = project.api
    api.protect()
    before = api.commit("main")

    released = project.push(before)

    assert released.code == 0, released.printed
    assert api.commit("main") == before
    (request,) = api.pulls.values()
    assert (request["head"], request["user"]) == ("pin/staging", "github-actions[bot]")
    assert project.pinned(STAGING, "pin/staging") is not None
    assert "dvc.lock" in api.git("diff", "--name-only", "main", "pin/staging").split()
    assert "deploy" not in released.jobs


def test_an_app_opens_the_release_pull_request_of_an_image_so_that_its_checks_start(project: Hosted) -> None:
    api = project.api
    api.protect()
    api.may_merge_by_itself = True
    api.tokens["app-token"] = Token("releases[bot]")

    released = project.push(
        api.commit("main"), variables={"APP_ID": "7", "REGISTRY": "ghcr.io"}, secrets={"APP_PRIVATE_KEY": "app-key"}
    )

    assert released.code == 0, released.printed
    (request,) = api.pulls.values()
    assert request["user"] == "releases[bot]"
    assert request["auto_merge"]
    pin = json.loads(api.git("show", f"pin/staging:{STAGING}"))
    assert pin["release"]["image"].startswith("ghcr.io/octo/flight-delays@sha256:")


def test_the_schedule_looks_at_what_runs(project: Hosted) -> None:
    git(project.clone, "switch", "--quiet", "main")

    looked = project.run("deploy.yml", "schedule", {"schedule": "17 5 * * *"})

    assert looked.code == 0, looked.printed
    assert looked.jobs == {"status": "success"}
    assert "staging" in looked.printed
    assert project.api.writes() == []
