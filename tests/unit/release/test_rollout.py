"""The wait for new servers in a cluster, at a kubectl that only says what it is told to."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mergeline.errors import DeploymentFailed
from mergeline.release import rollout

GIVEN = {
    "CONTEXT": "far",
    "NAMESPACE": "space",
    "ENVIRONMENT": "m-staging",
    "SLOT": "new",
    "MADE": "new",
    "LEAST": "2",
    "MOST": "4",
    "READY_SECONDS": "60",
}
PROGRAM = """#!/bin/sh
echo "$*" >> "$SAYS/asked"
case "$*" in
  *"get deployments"*) cat "$SAYS/deployments" ;;
  *"get pods"*"made!="*) cat "$SAYS/old" ;;
  *"get pods"*) cat "$SAYS/pods" ;;
  *"rollout status"*) cat "$SAYS/status"; test ! -s "$SAYS/status" ;;
esac
"""


@dataclass(frozen=True)
class Kubectl:
    """What it says, and what it was asked for; its first two words are the context."""

    folder: Path

    def says(self, name: str, *items: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps({"items": items}))

    def asked(self, word: str) -> list[str]:
        return [line for line in (self.folder / "asked").read_text().splitlines() if f" {word} " in line]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    made = Kubectl(tmp_path)
    (tmp_path / "kubectl").write_text(PROGRAM)
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SAYS", str(tmp_path))
    for name in ("deployments", "pods", "old"):
        made.says(name)
    (tmp_path / "status").touch()
    return made


def deployment(slot: str, replicas: int) -> dict[str, Any]:
    return {"metadata": {"name": f"m-staging-{slot}"}, "spec": {"replicas": replicas}}


def pod(ready: bool = False, **state: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m-1"}, "status": {"containerStatuses": [{"state": state, "ready": ready}]}}


@pytest.mark.parametrize(
    ("has", "wanted"),
    [
        ({"new": 1}, 2),
        ({"new": 1, "old": 3}, 3),
        ({"new": 1, "old": 9}, 4),
        ({"new": 3, "old": 2}, None),
        ({"new": 0}, 2),
    ],
    ids=["the least", "as many as before", "not more than the most", "enough", "none"],
)
def test_new_servers_are_as_many_as_the_old_ones(kubectl: Kubectl, has: dict[str, int], wanted: int | None) -> None:
    kubectl.says("deployments", *(deployment(slot, replicas) for slot, replicas in has.items()))

    rollout.run(GIVEN)

    scaled = [f"--context far scale --namespace space deployment/m-staging-new --replicas={wanted}"]
    assert kubectl.asked("scale") == (scaled if wanted else [])


def test_it_ends_when_the_old_servers_have_ended(kubectl: Kubectl) -> None:
    rollout.run(GIVEN)
    assert kubectl.asked("wait") == []
    kubectl.says("old", pod(ready=True))

    rollout.run(GIVEN)

    (waited,) = kubectl.asked("wait")
    assert "--for=delete" in waited
    assert "mergeline.made!=new" in waited


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([pod(waiting={"reason": "ImagePullBackOff", "message": "not\nfound"})], "ImagePullBackOff: not found"),
        ([pod(ready=True, running={}), pod(terminated={"reason": "OOMKilled"})], "OOMKilled"),
        ([pod(running={})], "m-1 runs, and does not say that it is ready"),
        (
            [{"metadata": {}, "status": {"conditions": [{"reason": "Unschedulable", "message": "0/1 nodes"}]}}],
            "0/1 nodes",
        ),
        ([], "exceeded its progress deadline"),
    ],
)
def test_a_failure_says_in_the_cluster_s_words_why(kubectl: Kubectl, pods: list[dict[str, Any]], words: str) -> None:
    kubectl.says("pods", *pods)
    (kubectl.folder / "status").write_text("deployment exceeded its progress deadline")

    with pytest.raises(DeploymentFailed, match=f"the new servers are not ready: .*{words}"):
        rollout.run(GIVEN)
