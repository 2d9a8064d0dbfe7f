"""The whole story, (a) to (e), on the real flights, through the generated workflow files and a real MLflow server."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tests.tooling import tracking
from tests.workflows.conftest import Make, git
from tests.workflows.test_release import PRODUCTION, STAGING, Hosted
from tools import story
from tools.bake import bake
from tools.caller import Caller

pytestmark = pytest.mark.slow


class Repository(Hosted):
    """The project on the forge, its runs on a machine that stays, with an MLflow server as repository variable."""

    tracking: str
    ports: dict[str, int]

    def run(self, workflow: str, event: str, told: dict[str, Any], **more: Any) -> Any:
        """Run a workflow as the repository has it set up."""
        return super().run(
            workflow, event, told, lasting=True, variables={"MLFLOW_TRACKING_URI": self.tracking}, **more
        )

    def pull_request(self, branch: str, change: story.Change) -> tuple[int, Any]:
        """Push a change, open its pull request, and let GitHub train its merge commit."""
        git(self.clone, "fetch", "--quiet", str(self.api.origin), "+refs/heads/*:refs/remotes/origin/*")
        git(self.clone, "switch", "--quiet", "--create", branch, "origin/main")
        change.apply(self.clone)
        git(self.clone, "commit", "--quiet", "--all", "--message", change.title)
        git(self.clone, "push", "--quiet", str(self.api.origin), f"HEAD:refs/heads/{branch}")
        number = self.api.open(branch)
        git(self.clone, "switch", "--quiet", "--detach", "origin/main")
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {branch} into main", branch)
        run = self.run("train.yml", "pull_request", self.api.event(number))
        if run.jobs["train"] == "success":
            self.api.upload(
                self.api.finish_run("train.yml", self.api.commit(branch)), "training", run.artifacts / "training"
            )
        return number, run

    def merge(self, number: int, workflow: str = "release.yml") -> Any:
        """Merge a pull request and run what the push to main starts."""
        before = self.api.commit("main")
        self.api.merge(number)
        return self.push(before, workflow)

    def promotion(self) -> int:
        """Give the number of the open pull request that moves production's pin."""
        return int(
            next(p["number"] for p in self.api.pulls.values() if p["head"] == "pin/production" and p["state"] == "open")
        )

    def release(self, pin: str) -> str:
        """Give the release id that a pin on main names."""
        return str(json.loads(self.api.git("show", f"main:{pin}"))["release"]["id"])

    def served(self, environment: str) -> str:
        """Give the release id that an environment answers."""
        return Caller(self.ports[environment]).version()

    def aliases(self) -> dict[str, str]:
        """Give which release each alias of MLflow names."""
        client = mlflow.MlflowClient(self.tracking)
        versions = client.get_registered_model("flight-delays").aliases
        return {name: client.get_model_version("flight-delays", v).tags["release"] for name, v in versions.items()}


@pytest.fixture
def repository(hosted: Make, tmp_path: Path) -> Iterator[Repository]:
    """The flights as generated, with ports that are free here."""
    project = bake(tmp_path)
    ports = {}
    for name in ("staging", "production"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports[name] = free.getsockname()[1]
        values = project / "infra" / "environments" / name / "terraform.tfvars"
        port = next(line for line in values.read_text().splitlines() if line.startswith("port"))
        values.write_text(values.read_text().replace(port, f"port = {ports[name]}"))
    api, clone = hosted(project)
    home = tmp_path / "tracking"
    home.mkdir()
    with tracking.server(home) as url:
        made = Repository(api, clone, tmp_path, tmp_path / "cache")
        made.tracking, made.ports = url, ports
        yield made
        for name in ports:
            model(made, "deploy", name, "--destroy")


def model(repository: Repository, *arguments: str) -> str:
    """Type a command in the clone, as a person does."""
    done = subprocess.run(
        [sys.executable, "-m", "mergeline.cli", *arguments],
        cwd=repository.clone,
        env={**os.environ, "PYTHONPATH": str(repository.clone / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_loop_from_the_first_release_to_a_rollback(repository: Repository) -> None:
    api = repository.api

    # (a) main is trained; its first release runs in staging and, by a merge, in production.
    born = repository.push(api.commit("main"))
    assert born.code == 0, born.printed
    assert repository.served("staging") == repository.release(STAGING)
    promoted = repository.merge(repository.promotion(), "deploy.yml")
    assert promoted.code == 0, promoted.printed
    first = repository.served("production")
    assert first == repository.release(PRODUCTION) == repository.release(STAGING)
    assert repository.aliases() == {"staging": first, "production": first}

    with Caller(repository.ports["production"]) as caller:
        # (b) the weather makes it better; what was reviewed is what runs.
        number, trained = repository.pull_request("weather", story.WEATHER)
        assert trained.code == 0, trained.printed
        assert said(repository, number).startswith("**Better**: roc_auc")
        assert verdict(repository, "weather") == "success"
        reviewed = json.loads((trained.artifacts / "training/report/report.json").read_text())["candidate"]["bundle"]
        released = repository.merge(number)
        assert released.code == 0, released.printed
        assert repository.pinned(STAGING) == reviewed
        assert repository.served("staging") == repository.release(STAGING) != first
        assert repository.served("production") == first
        promoted = repository.merge(repository.promotion(), "deploy.yml")
        assert promoted.code == 0, promoted.printed
        second = repository.served("production")
        assert second == repository.release(PRODUCTION) == repository.release(STAGING)
        assert repository.aliases() == {"staging": second, "production": second}

        # (c) without the hour it is worse; the gate stops it.
        number, trained = repository.pull_request("worse", story.WORSE)
        assert trained.jobs["verdict-pass"] == "failure", trained.printed
        assert said(repository, number).startswith("**Worse**: roc_auc")
        assert "roc_auc.not_worse" in said(repository, number)
        assert verdict(repository, "worse") == "failure"

        # (d) a month of data.
        number, trained = repository.pull_request("july", story.JULY)
        assert trained.code == 0, trained.printed
        assert "data.as_of" in said(repository, number)
        released = repository.merge(number)
        assert released.code == 0, released.printed
        third = repository.served("staging")
        assert third == repository.release(STAGING) != second
        assert repository.aliases() == {"staging": third, "production": second}

        # (e) a commit brings production back.
        git(repository.clone, "fetch", "--quiet", str(api.origin), "+refs/heads/*:refs/remotes/origin/*")
        git(repository.clone, "switch", "--quiet", "main")
        git(repository.clone, "merge", "--quiet", "--ff-only", "origin/main")
        before = api.commit("main")
        model(repository, "rollback", "production", "--reason", "The weather service is down.")
        git(repository.clone, "push", "--quiet", str(api.origin), "HEAD:refs/heads/main")
        back = repository.push(before, "deploy.yml")
        assert back.code == 0, back.printed
        assert repository.served("production") == repository.release(PRODUCTION) == first
        assert repository.aliases() == {"staging": third, "production": first}

    assert caller.failed == 0, caller.last_error
    assert set(caller.releases) == {first, second}
    moves = [m for m in json.loads(model(repository, "ledger", "production", "--json"))["moves"] if m["release"]]
    assert [(m["action"], m["release"]) for m in moves] == [
        ("rolled back", first),
        ("promoted", second),
        ("promoted", first),
    ]
    assert moves[0]["reason"] == "The weather service is down."


def said(repository: Repository, number: int) -> str:
    """Give the one comment on the verdict of a pull request, without its hidden marker."""
    (comment,) = [c for c in repository.api.comments if c["issue"] == number and "roc_auc" in c["body"]]
    return "\n".join(line for line in comment["body"].splitlines() if not line.startswith("<!--")).strip()


def verdict(repository: Repository, branch: str) -> str:
    """Give the state of the verdict's status on a branch."""
    sha = repository.api.commit(branch)
    return str(
        [s["state"] for s in repository.api.statuses if s["sha"] == sha and s["context"] == "mergeline/verdict"][-1]
    )
