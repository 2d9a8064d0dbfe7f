"""Deployments of real releases to a real cluster, under steady requests."""

import time
from pathlib import Path

import pytest

from mergeline.errors import DeploymentFailed
from mergeline.release import deploy, promotion, retarget, smoke, terraform
from tests.tooling.load import Load
from tests.tools import until
from tests.unit import experiments
from tests.unit.kubernetes_target.conftest import SPACE, Place
from tests.unit.project import NAME

pytestmark = pytest.mark.slow


def test_a_release_runs_as_every_machine_sees_that_may_and_a_second_plan_is_empty(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = place.pin(2)

    done = deploy.run(place.root, "staging")

    assert done.rows > 0
    assert smoke.version(place.url)["release"] == made.id
    assert terraform.plan(place.root, "staging").actions == []
    assert place.look().word == "running"
    (scaler,) = place.objects("hpa").values()
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 3)
    assert scaler["spec"]["scaleTargetRef"]["name"] in place.objects("deployments")
    until(lambda: [one["status"]["disruptionsAllowed"] for one in place.objects("pdb").values()] == [1])
    assert list(place.objects("networkpolicies")) == [SPACE]
    for pod in place.objects("pods").values():
        (container,) = pod["spec"]["containers"]
        assert container["image"] == made.image
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["spec"]["securityContext"]["runAsUser"] == 10001
        assert not pod["spec"]["automountServiceAccountToken"]
        assert pod["status"]["qosClass"] == "Guaranteed"

    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "another machine"))
    assert (place.look().word, place.look().running) == ("running", made.id)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert place.look().word == "unknown"


@pytest.mark.parametrize("strategy", ["blue_green", "rolling"])
def test_a_way_forward_and_back_loses_nothing(place: Place, strategy: str) -> None:
    place.write(strategy=strategy)
    first = place.pin(2)
    deploy.run(place.root, "staging")
    second = place.pin(3)
    with Load(place.url) as load:
        begun = time.monotonic()
        deploy.run(place.root, "staging")
        switched = time.monotonic()
        assert terraform.plan(place.root, "staging").actions == []
        promotion.rollback(place.root, "staging", to=None, reason="test", pull_request=False)
        back = time.monotonic()
        deploy.run(place.root, "staging")
        returned = time.monotonic()
        assert terraform.plan(place.root, "staging").actions == []
    print(f"{strategy}: {switched - begun:.1f} s, {returned - back:.1f} s, {len(load.answers)} answers")  # noqa: T201

    assert load.failed == []
    assert load.wrong(second.id, switched, back) == 0
    assert load.wrong(first.id, returned) == 0
    assert {release for _, release in load.answers} == {first.id, second.id}
    assert len(load.answers) > 200
    assert len(place.objects("deployments")) == 1


def test_an_experiment_answers_beside_the_pinned_release_until_it_is_stopped(place: Place) -> None:
    pinned = place.pin(2)
    other = place.build(3)
    experiments.start(place.project, other)

    deploy.run(place.root, "staging")

    assert experiments.answering(place.url, place.project) == {pinned.id, other.id}
    assert terraform.plan(place.root, "staging").actions == []
    experiments.stop(place.project)
    deploy.run(place.root, "staging")
    assert experiments.answering(place.url, place.project) == {pinned.id}


def test_an_image_that_does_not_exist_leaves_the_old_release(place: Place) -> None:
    first = place.pin(2)
    deploy.run(place.root, "staging")
    place.write(kubernetes={"ready_seconds": 15})
    place.pin(3, image=f"registry.example.test/model@sha256:{'0' * 64}")

    words = "the new servers are not ready: .*ImagePull.*rolled back"
    with Load(place.url) as load, pytest.raises(DeploymentFailed, match=words):
        deploy.run(place.root, "staging")

    assert load.failed == []
    assert load.wrong(first.id, 0) == 0
    assert len(place.objects("deployments")) == 1
    assert place.look().word == "rolled back"


def test_no_release_is_pinned_and_nothing_serves(place: Place) -> None:
    done = deploy.run(place.root, "staging")

    assert done.release is None
    assert place.objects("pods") == {}
    assert place.look().word == "no release"
    assert terraform.plan(place.root, "staging").actions == []


@pytest.mark.nightly
def test_an_environment_moves_to_local_and_back(place: Place) -> None:
    made = place.pin(2)
    deploy.run(place.root, "staging")

    said = retarget.run(place.root, "staging", "local")

    assert "from kubernetes to local" in said
    assert SPACE not in place.cluster.kubectl("get", "namespaces", "-o", "name")
    assert place.look().running == made.id
    assert "from local to kubernetes" in retarget.run(place.root, "staging", "kubernetes")
    assert place.look().running == made.id
    assert place.project.git("status", "--porcelain") == ""
    assert NAME in place.cluster.kubectl("get", "secrets", "-n", "default", "-o", "name")
