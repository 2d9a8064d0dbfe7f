"""The module applied by the real provider to moto: what comes up, what a second plan says, what moves, what is left."""

import json
from typing import Any

from tests.unit.aws_target.conftest import Cloud, Environment, pin

NOTHING = {"release": None, "experiment": None}


def services(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Give the services that run, by name."""
    ecs = cloud.client("ecs")
    cluster = "flight-delays-staging"
    if cluster not in [arn.split("/")[-1] for arn in ecs.list_clusters()["clusterArns"]]:
        return {}
    names = ecs.list_services(cluster=cluster)["serviceArns"]
    found = ecs.describe_services(cluster=cluster, services=names)["services"] if names else []
    return {one["serviceName"]: one for one in found if one["status"] == "ACTIVE"}


def container(cloud: Cloud, service: dict[str, Any]) -> dict[str, Any]:
    """Give the definition of the container that a service runs."""
    task = cloud.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    found: dict[str, Any] = task["taskDefinition"]["containerDefinitions"][0]
    return found


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
    scaling = cloud.client("application-autoscaling")
    return {
        "services": list(services(cloud)),
        "clusters": cloud.client("ecs").list_clusters()["clusterArns"],
        "balancers": [one["LoadBalancerName"] for one in elb.describe_load_balancers()["LoadBalancers"]],
        "target groups": [one["TargetGroupName"] for one in elb.describe_target_groups()["TargetGroups"]],
        "roles": [one["RoleName"] for one in cloud.client("iam").list_roles()["Roles"]],
        "logs": [one["logGroupName"] for one in cloud.client("logs").describe_log_groups()["logGroups"]],
        "alarms": [one["AlarmName"] for one in cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "scaled": [
            one["ResourceId"] for one in scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        ],
        "groups": [
            one["GroupName"]
            for one in cloud.client("ec2").describe_security_groups()["SecurityGroups"]
            if one["GroupName"] != "default"
        ],
    }


def test_from_nothing_to_a_release_to_the_next_and_back_to_nothing(place: Environment, cloud: Cloud) -> None:
    place.apply(pin=NOTHING)
    assert services(cloud) == {}
    assert forwarded(cloud) == []
    assert place.output("release_id") is None

    place.apply(pin=pin("1"))
    (first,) = services(cloud)
    assert place.output("url") == "https://delays.example.org:8443"
    assert place.output("release_id") == "1" * 64
    assert services(cloud)[first]["desiredCount"] == 3
    before = forwarded(cloud)
    revision = place.output("revision")

    experiment = {**pin("3"), "kind": "ab", "share": 0.1, "key": None, "limits": {}}
    experiment.pop("experiment")
    place.apply(pin=pin("2", experiment=experiment))
    (second,) = services(cloud)
    assert second != first
    assert forwarded(cloud) != before
    assert place.output("revision") != revision
    given = {one["name"]: one["value"] for one in container(cloud, services(cloud)[second])["environment"]}
    assert given["MERGELINE_RELEASE"] == "2" * 64
    assert json.loads(given["MERGELINE_EXPERIMENT"])["share"] == 0.1

    said = place.apply(pin=pin("2", experiment=experiment), replicas={"min": 3, "max": 5})
    assert "0 added, 1 changed, 0 destroyed" in said
    assert list(services(cloud)) == [second]

    place.apply(pin=NOTHING)
    assert services(cloud) == {}
    assert forwarded(cloud) == []
    place.terraform("destroy", "-auto-approve", "-input=false", "-no-color")
    assert {kind: found for kind, found in left(cloud).items() if found} == {}


def test_rolling_changes_one_service_in_place(place: Environment, cloud: Cloud) -> None:
    place.apply(pin=pin("1"), strategy="rolling")
    before = forwarded(cloud)

    said = place.apply(pin=pin("2"), strategy="rolling")

    assert "1 added, 1 changed, 1 destroyed" in said  # the task's definition, and the service that takes it
    assert list(services(cloud)) == ["rolling"]
    assert forwarded(cloud) == before
    given = {one["name"]: one["value"] for one in container(cloud, services(cloud)["rolling"])["environment"]}
    assert given["MERGELINE_RELEASE"] == "2" * 64
