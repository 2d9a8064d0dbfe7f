"""An environment in AWS, applied by the real provider to moto: what comes up, moves, is refused, and is left."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mergeline.errors import Conflict, Usage
from mergeline.release import build, promotion, retarget, targets, terraform
from tests.tools import need
from tests.unit.aws_target.conftest import BUCKET, STAGING, STATE, Cloud, write
from tests.unit.project import NAME, Project
from tools.ports import free_port

pytestmark = pytest.mark.slow

CLUSTER = f"{NAME}-staging"
LOCK = {"ID": "4b1d", "Operation": "OperationTypeApply", "Who": "ada", "Created": "2026-01-01T00:00:00Z"}


def release(digit: str) -> dict[str, Any]:
    """Give a release whose id is this digit, again and again."""
    return {
        "id": digit * 64,
        "image": f"registry.example/{NAME}@sha256:{digit * 64}",
        "model": {"name": NAME, "bundle_id": digit * 64},
    }


def clusters(cloud: Cloud) -> list[str]:
    """Name the clusters; a deleted one is listed for a while."""
    ecs = cloud.client("ecs")
    found = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return [one["clusterName"] for one in found if one["status"] == "ACTIVE"]


def services(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Give the services that run, by name."""
    ecs = cloud.client("ecs")
    if CLUSTER not in clusters(cloud):
        return {}
    names = ecs.list_services(cluster=CLUSTER)["serviceArns"]
    found = ecs.describe_services(cluster=CLUSTER, services=names)["services"] if names else []
    return {one["serviceName"]: one for one in found if one["status"] == "ACTIVE"}


def variables(cloud: Cloud, service: dict[str, Any]) -> dict[str, str]:
    """Give the environment variables of the container that a service runs."""
    task = cloud.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    container = task["taskDefinition"]["containerDefinitions"][0]
    return {one["name"]: one["value"] for one in container["environment"]}


def forwarded(cloud: Cloud) -> list[str]:
    """Give the target groups that every request goes to."""
    elb = cloud.client("elbv2")
    found: list[str] = []
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                if rule["Priority"] == "100":
                    found += [action["TargetGroupArn"] for action in rule["Actions"]]
    return found


def left(cloud: Cloud) -> dict[str, list[str]]:
    """Name what there is of each kind that the module makes."""
    elb = cloud.client("elbv2")
    scaled = cloud.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    route = cloud.client("route53")
    zones = [zone["Id"] for zone in route.list_hosted_zones()["HostedZones"]]
    records = [
        one for zone in zones for one in route.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    ]
    groups = [one["GroupName"] for one in cloud.client("ec2").describe_security_groups()["SecurityGroups"]]
    found = {
        "services": list(services(cloud)),
        "clusters": clusters(cloud),
        "balancers": [one["LoadBalancerName"] for one in elb.describe_load_balancers()["LoadBalancers"]],
        "target groups": [one["TargetGroupName"] for one in elb.describe_target_groups()["TargetGroups"]],
        "roles": [one["RoleName"] for one in cloud.client("iam").list_roles()["Roles"]],
        "logs": [one["logGroupName"] for one in cloud.client("logs").describe_log_groups()["logGroups"]],
        "alarms": [one["AlarmName"] for one in cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "scaled": [one["ResourceId"] for one in scaled["ScalableTargets"]],
        "records": [one["Name"] for one in records if one["Type"] == "A"],
        "groups": [name for name in groups if name != "default"],
    }
    return {kind: names for kind, names in found.items() if names}


class Story:
    """What is done to staging, step by step, and how long each took."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root = project.root

    def apply(self, pinned: dict[str, Any] | None, experiment: dict[str, Any] | None = None) -> list[str]:
        """Pin, apply, prove that a second plan is empty; give each action with its resource."""
        self.project.pin("staging").write_text(json.dumps({"release": pinned, "experiment": experiment}))
        begun = time.monotonic()
        done = terraform.apply(self.root, "staging")
        applied = time.monotonic()
        again = terraform.plan(self.root, "staging").actions
        print(f"{len(done)} actions {applied - begun:.1f} s, plan {time.monotonic() - applied:.1f} s")  # noqa: T201
        assert again == []
        return [f"{one.action} {one.address.removeprefix('module.service.').partition('[')[0]}" for one in done]

    def output(self, name: str) -> Any:
        return terraform.outputs(self.root, "staging").get(name)


@pytest.fixture
def story(place: Project, cloud: Cloud) -> Iterator[Story]:
    """Staging in AWS, without a release; nothing of it is left."""
    begun = time.monotonic()
    assert "local to aws, no release is pinned" in retarget.run(place.root, "staging", "aws")
    print(f"local to aws {time.monotonic() - begun:.1f} s")  # noqa: T201 - for the record
    yield Story(place)
    terraform.destroy(place.root, "staging")
    assert left(cloud) == {}


def test_releases_come_and_go(story: Story, cloud: Cloud, given: dict[str, Any]) -> None:
    assert story.apply(None) == []
    assert services(cloud) == {}
    assert forwarded(cloud) == []
    assert story.output("release_id") is None

    write(story.project, given, port=8443)
    story.apply(release("1"))
    (first,) = services(cloud)
    assert story.output("url") == "https://delays.example.org:8443"
    assert story.output("release_id") == "1" * 64
    assert services(cloud)[first]["desiredCount"] == 3
    before, revision = forwarded(cloud), story.output("revision")

    earlier = len(cloud.asked())
    story.apply(release("2"), {"release": release("3"), "kind": "ab", "share": 0.1})
    asked = cloud.asked()[earlier:]
    order = ["CreateService", "ModifyRule", "DeleteService", "DeleteTargetGroup"]
    assert [action for action in asked if action in order] == order
    (second,) = services(cloud)
    assert second != first
    assert forwarded(cloud) != before
    assert story.output("revision") != revision
    found = variables(cloud, services(cloud)[second])
    assert found["MERGELINE_RELEASE"] == "2" * 64
    assert json.loads(found["MERGELINE_EXPERIMENT"])["share"] == 0.1

    write(story.project, given, port=8443, replicas={"min": 3, "max": 5})
    done = story.apply(release("2"), {"release": release("3"), "kind": "ab", "share": 0.1})
    assert done == ["update aws_appautoscaling_target.server"]

    write(story.project, given, port=8443, strategy="rolling")
    story.apply(release("2"))
    assert list(services(cloud)) == ["rolling"]
    before = forwarded(cloud)
    done = story.apply(release("4"))
    assert "update aws_ecs_service.server" in done
    assert forwarded(cloud) == before
    assert variables(cloud, services(cloud)["rolling"])["MERGELINE_RELEASE"] == "4" * 64

    story.apply(None)
    assert services(cloud) == {}
    assert forwarded(cloud) == []


def test_two_at_once_are_refused_by_the_lock(place: Project, cloud: Cloud) -> None:
    target = place.root / STAGING / "target.tf"
    target.write_text(targets.written(NAME, "staging", "aws"))
    subprocess.run([need("terraform"), "fmt", "-check", target], check=True)
    terraform.init(place.root, "staging")
    lock = {"Bucket": BUCKET, "Key": f"{NAME}/staging.tfstate.tflock"}
    cloud.client("s3").put_object(**lock, Body=json.dumps(LOCK).encode())

    with pytest.raises(Conflict, match="another Terraform run"):
        terraform.plan(place.root, "staging")

    cloud.client("s3").delete_object(**lock)
    assert terraform.plan(place.root, "staging").actions


@pytest.mark.parametrize(
    ("broken", "words"),
    [("state", f"{STATE} is missing"), ("inputs", "says nothing of aws"), ("image", "no image in a registry")],
)
def test_refuses_a_move_before_anything_is_destroyed(place: Project, broken: str, words: str) -> None:
    if broken == "state":
        (place.root / STAGING / STATE).unlink()
    elif broken == "inputs":
        (place.root / STAGING / "terraform.tfvars").write_text(f'name = "{NAME}"\nport = {free_port()}\n')
    else:
        made = build.run(place.root, image=f"sha256:{'0' * 64}").release
        promotion.promote(place.root, "staging", release=None, pull_request=False)
        assert place.pinned("staging") == made.id

    with pytest.raises(Usage, match=words):
        retarget.run(place.root, "staging", "aws")

    assert '/modules/service/local"' in (place.root / STAGING / "target.tf").read_text()
