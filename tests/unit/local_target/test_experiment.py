"""An experiment on this machine from its first commit to its last, while requests come."""

import http.client
import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mergeline import bundle as bundles
from mergeline import store
from mergeline.errors import DeploymentFailed
from mergeline.release import build, deploy, experiment
from mergeline.release.manifest import Release
from tests.tools import until
from tests.unit.experiments import answering, start
from tests.unit.local_target.conftest import break_answers, release
from tests.unit.project import Project

pytestmark = pytest.mark.slow

ROW = {"distance": 100, "carrier": "UA", "sched": "2013-06-01T10:00:00"}


@dataclass
class Users:
    """Send requests, each by one of forty keys, and keep which release answered whom with what."""

    port: int
    answers: list[tuple[str, str, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Users":
        self.threads = [threading.Thread(target=self._one, args=(kept,)) for kept in (True, True, False)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def arms(self, since: int) -> dict[str, set[str]]:
        """Give the releases that answered each key, from the answer with this number on."""
        found: dict[str, set[str]] = defaultdict(set)
        for key, one, _ in self.answers[since:]:
            found[key].add(one)
        return found

    def _one(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        number = 0
        while not self.over.is_set():
            key, number = f"user-{number % 40}", number + 1
            headers = {"content-type": "application/json", "x-experiment-key": key}
            try:
                connection.request("POST", "/predict", json.dumps(ROW), headers)
                response = connection.getresponse()
                answer: dict[str, Any] = json.loads(response.read())
                one = answer["predictions"][0]
                self.answers.append((key, one.get("release", answer["release"]), one["score"]))
            except Exception as error:
                self.failures.append(repr(error))
            if not kept:
                connection.close()
        connection.close()


def score(project: Project, made: Release) -> float:
    loaded = bundles.load(store.fetch(made.model.bundle_id, project.root, made.id))
    return float(loaded.score(bundles.raw_from_rows(loaded.signature, [ROW]))[0])


def test_an_experiment_under_load_loses_nobody_and_every_key_keeps_its_arm(place: Project, port: int) -> None:
    pinned = release(place, 1)
    deploy.run(place.root, "staging")
    place.train(2)
    other = build.run(place.root, image=None).release
    options: dict[str, Any] = {"kind": "ab", "share": 0.3, "key": None, "limits": [], "pull_request": False}

    with Users(port) as users:

        def settled() -> int:
            """Deploy what is pinned, and give the number of the first answer after that."""
            deploy.run(place.root, "staging")
            before = len(users.answers)
            until(lambda: len(users.answers) > before + 100)  # an open connection has one answer of the old worker yet
            since = len(users.answers)
            until(lambda: len(users.arms(since)) == 40 and len(users.answers) > since + 300)
            return since

        experiment.start(place.root, "staging", release=other.id, **options)
        since = settled()
        few = users.arms(since)
        experiment.step(place.root, "staging", share=0.7, pull_request=False)
        since = settled()
        many = users.arms(since)
        experiment.stop(place.root, "staging", pull_request=False)
        since = settled()
        none = users.arms(since)

    assert users.failures == []
    expected = {one.id: score(place, one) for one in (pinned, other)}
    assert expected[pinned.id] != expected[other.id]
    assert all(np.isclose(found, expected[one], atol=1e-5) for _, one, found in users.answers)
    assert all(len(releases) == 1 for releases in (*few.values(), *many.values(), *none.values()))
    moved = [{key for key, releases in arms.items() if releases == {other.id}} for arms in (few, many, none)]
    assert moved[0] < moved[1]
    assert 4 <= len(moved[0]) < len(moved[1]) <= 36
    assert moved[2] == set()


def test_a_release_that_fails_is_taken_back_with_the_experiment_that_it_ended(place: Project, port: int) -> None:
    pinned = release(place, 1)
    deploy.run(place.root, "staging")
    place.train(2)
    other = build.run(place.root, image=None).release
    start(place, other)
    deploy.run(place.root, "staging")
    break_answers(place)

    again = f"{pinned.id[:12]} runs again, ab of {other.id[:12]}, 50% beside it"
    with pytest.raises(DeploymentFailed, match=f"rolled back, {again}"):
        deploy.run(place.root, "staging")

    assert answering(f"http://127.0.0.1:{port}", place) == {pinned.id, other.id}
