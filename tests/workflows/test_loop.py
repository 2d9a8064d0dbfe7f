"""The whole story, (a) to (e), on the real flights, through the generated workflow files and a real MLflow server."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pytest

from tests.tooling import tracking
from tests.workflows.conftest import Make, settle
from tests.workflows.hosted import PRODUCTION, STAGING, Hosted, git, merge_commit
from tests.workflows.runner import Run
from tools import play, story
from tools.bake import bake
from tools.caller import Caller

pytestmark = pytest.mark.slow
PINS = {"staging": STAGING, "production": PRODUCTION}


class Environment(NamedTuple):
    """What is told of an environment, in five places; releases are counted: 1 is the first."""

    pinned: int | None
    served: int | None
    alias: int | None
    ledger: list[str]
    deployed: list[str]


class State(NamedTuple):
    """What a person can see after a step: of the pull request that it is about, and of both environments."""

    says: str | None
    gates: dict[str, str]
    verdict: str | None
    staging: Environment
    production: Environment


GATES = ("roc_auc.not_worse", "roc_auc.at_least", "log_loss.not_worse")


def story_says(says: str | None, failed: tuple[str, ...], staging: str, production: str) -> State:
    """Give the state that a row of the story means: what was moved last is pinned, served, named, and came up."""
    gates = {gate: "\u2717" if gate in failed else "\u2713" for gate in GATES} if says else {}
    verdict = ("failure" if failed else "success") if says else None
    return State(says, gates, verdict, _moved(staging), _moved(production))


def _moved(moves: str) -> Environment:
    ledger = [move for move in moves.split(", ") if move]
    last = int(ledger[-1][-1]) if ledger else None
    return Environment(last, last, last, ledger, ["success"] * len(ledger))


BETTER, WORSE, OLDER = "Better", "Worse", ("roc_auc.not_worse",)
TWO, ALL = "promoted 1, promoted 2", "promoted 1, promoted 2, promoted 3"
BACK = "promoted 1, promoted 2, rolled back 1"
STORY = {
    #                               comment, gates that fail, moves of staging, moves of production
    "(a) main is released": story_says(None, (), "promoted 1", ""),
    "(a) and promoted": story_says(None, (), "promoted 1", "promoted 1"),
    "(b) the weather is judged": story_says(BETTER, (), "promoted 1", "promoted 1"),
    "(b) and merged": story_says(BETTER, (), TWO, "promoted 1"),
    "(b) and promoted": story_says(BETTER, (), TWO, TWO),
    "(c) without the hour": story_says(WORSE, OLDER, TWO, TWO),
    "(d) a month of data is judged": story_says("Cannot tell", (), TWO, TWO),
    "(d) and merged": story_says("Cannot tell", (), ALL, TWO),
    "(e) production goes back": story_says(None, (), ALL, BACK),
}


@dataclass
class Repository(Hosted):
    """The project on the forge, its runs on a machine that stays, with an MLflow server as repository variable."""

    tracking: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    def run(self, workflow: str, event: str, told: dict[str, Any], **more: Any) -> Run:
        """Run a workflow as the repository has it set up."""
        return super().run(
            workflow, event, told, lasting=True, variables={"MLFLOW_TRACKING_URI": self.tracking}, **more
        )

    def pull_request(self, branch: str, change: story.Change) -> tuple[int, Run]:
        """Push a change, open its pull request, and let GitHub train its merge commit."""
        self.fetch()
        git(self.clone, "switch", "--quiet", "--create", branch)
        change.apply(self.clone)
        git(self.clone, "commit", "--quiet", "--all", "--message", change.title)
        git(self.clone, "push", "--quiet", str(self.api.origin), f"HEAD:refs/heads/{branch}")
        number = self.api.open(branch)
        merge_commit(self.clone, branch)
        run = self.run("train.yml", "pull_request", self.api.event(number))
        if run.jobs["train"] == "success":
            self.api.upload(
                self.api.finish_run("train.yml", self.api.commit(branch)), "training", run.artifacts / "training"
            )
        return number, run

    def promotion(self) -> int:
        """Give the number of the open pull request that moves production's pin."""
        return int(
            next(p["number"] for p in self.api.pulls.values() if p["head"] == "pin/production" and p["state"] == "open")
        )

    def type(self, *arguments: str) -> str:
        """Type a command in the clone, as a person does."""
        done = subprocess.run(
            [sys.executable, "-m", "mergeline.cli", *arguments],
            cwd=self.clone,
            env={**os.environ, "PYTHONPATH": str(self.clone / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def repository(hosted: Make, tmp_path: Path) -> Iterator[Repository]:
    """The flights as generated, with ports that are free here.

    What `make demo` trained is in DVC's cache, as on a machine that stays.
    """
    project = bake(tmp_path)
    ports = settle(project)
    api, clone = hosted(project)
    home, cache = tmp_path / "tracking", tmp_path / "cache"
    home.mkdir()
    if (played := play.PROJECT / ".dvc" / "cache").is_dir():
        shutil.copytree(played, cache)
    with tracking.server(home) as url:
        made = Repository(api, clone, tmp_path, cache, tracking=url, ports=ports)
        yield made
        for name in ports:
            made.type("deploy", name, "--destroy")


def test_the_loop_from_the_first_release_to_a_rollback(repository: Repository) -> None:
    api = repository.api

    born = repository.push(api.commit("main"))
    assert state(repository) == STORY["(a) main is released"], born.printed
    promoted = repository.merge(repository.promotion(), "deploy.yml")
    assert state(repository) == STORY["(a) and promoted"], promoted.printed

    with Caller(repository.ports["production"]) as caller:
        number, trained = repository.pull_request("weather", story.WEATHER)
        assert state(repository, number) == STORY["(b) the weather is judged"], trained.printed
        reviewed = json.loads((trained.artifacts / "training/report/report.json").read_text())["candidate"]["bundle"]
        released = repository.merge(number)
        assert state(repository, number) == STORY["(b) and merged"], released.printed
        assert repository.pinned(STAGING) == reviewed
        promoted = repository.merge(repository.promotion(), "deploy.yml")
        assert state(repository, number) == STORY["(b) and promoted"], promoted.printed

        main, pulls = api.commit("main"), len(api.pulls)
        number, trained = repository.pull_request("worse", story.WORSE)
        assert state(repository, number) == STORY["(c) without the hour"], trained.printed
        assert trained.jobs["verdict-pass"] == "failure"
        assert (api.commit("main"), len(api.pulls)) == (main, pulls + 1)

        number, trained = repository.pull_request("july", story.JULY)
        assert state(repository, number) == STORY["(d) a month of data is judged"], trained.printed
        assert "data.as_of" in comment(repository, number)
        assert (trained.jobs["attribute"], trained.jobs["complete"]) == ("success", "success"), trained.printed
        assert "new data alone" in comment(repository, number)
        released = repository.merge(number)
        assert state(repository, number) == STORY["(d) and merged"], released.printed

        repository.fetch()
        before = api.commit("main")
        repository.type("rollback", "production", "--reason", "The weather service is down.")
        git(repository.clone, "push", "--quiet", str(api.origin), "HEAD:refs/heads/main")
        back = repository.push(before, "deploy.yml")
        assert state(repository) == STORY["(e) production goes back"], back.printed

    assert caller.failed == 0, caller.last_error
    assert set(caller.releases) == set(releases(repository)[:2])
    assert moves(repository, "production")[-1]["reason"] == "The weather service is down."


def state(repository: Repository, number: int | None = None) -> State:
    """Look everywhere: at a pull request's comment and status, and at what is told of each environment."""
    repository.fetch()
    known = {release: count for count, release in enumerate(releases(repository), start=1)}
    client = mlflow.MlflowClient(repository.tracking)
    aliases = {
        name: client.get_model_version("flight-delays", version).tags["release"]
        for name, version in client.get_registered_model("flight-delays").aliases.items()
    }
    found = {}
    for name, pin in PINS.items():
        pinned = json.loads(repository.api.git("show", f"main:{pin}"))["release"]
        moved = moves(repository, name)
        found[name] = Environment(
            pinned=known[pinned["id"]] if pinned else None,
            served=known.get(served(repository, name)),
            alias=known.get(aliases.get(name, "")),
            ledger=[f"{m['action']} {known[m['release']]}" for m in moved],
            deployed=[told for m in moved for told in statuses(repository, m["commit"], f"deploy ({name})")],
        )
    if number is None:
        return State(None, {}, None, **found)
    head = repository.api.event(number)["pull_request"]["head"]["sha"]
    (verdict,) = set(statuses(repository, head, "mergeline/verdict"))
    text = comment(repository, number)
    rows = re.findall(r"^- ([\u2713\u2717]) `([\w.]+)`", text, re.MULTILINE)
    first = re.match(r"\*\*([\w ]+)\*\*: roc_auc", text)
    assert first, text
    return State(first[1], {gate: mark for mark, gate in rows}, verdict, **found)


def moves(repository: Repository, environment: str) -> list[dict[str, Any]]:
    """Give the ledger of one environment, oldest first."""
    told = json.loads(repository.type("ledger", environment, "--json"))["moves"]
    return [move for move in reversed(told) if move["release"]]


def releases(repository: Repository) -> list[str]:
    """Give the releases that staging had, in the order of their first promotion."""
    return list(dict.fromkeys(move["release"] for move in moves(repository, "staging")))


def served(repository: Repository, environment: str) -> str:
    """Give the release id that an environment answers, empty where it has none."""
    try:
        return Caller(repository.ports[environment]).version()
    except KeyError:
        return ""


def statuses(repository: Repository, commit: str, context: str) -> list[str]:
    """Give all that was ever told of a commit in one context, oldest first."""
    told = reversed(repository.api.statuses)
    return [s["state"] for s in told if (s["sha"], s["context"]) == (commit, context)]


def comment(repository: Repository, number: int) -> str:
    """Give the one comment on the verdict of a pull request, without its hidden marker."""
    (found,) = [c for c in repository.api.comments if c["issue"] == number and "roc_auc" in c["body"]]
    return "\n".join(line for line in found["body"].splitlines() if not line.startswith("<!--")).strip()
