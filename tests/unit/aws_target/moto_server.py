"""An AWS on this machine: moto's server, with what Terraform asks of it and it lacks. Argument: the port.

It prints the name of each action that it is asked for.
"""

import json
import sys
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.server import main

call = BaseResponse.call_action
create = EC2ContainerServiceResponse.create_service
register = ApplicationAutoScalingResponse.register_scalable_target
tags: dict[str, dict[str, str]] = {}


def call_action(asked: BaseResponse) -> TYPE_RESPONSE:
    """Say what is asked for."""
    sys.stdout.write(f"{asked._get_action()}\n")
    sys.stdout.flush()
    answer: TYPE_RESPONSE = call(asked)
    return answer


def create_service(asked: EC2ContainerServiceResponse) -> ActionResult:
    """Run all tasks of a service at once, and keep the settings that moto drops."""
    made: ActionResult = create(asked)
    result: Any = made.result
    service = result["service"]
    service.running_count, service.pending_count = service.desired_count, 0
    service.health_check_grace_period_seconds = asked._get_int_param("healthCheckGracePeriodSeconds")
    service.availability_zone_rebalancing = "DISABLED"
    return made


def register_scalable_target(asked: ApplicationAutoScalingResponse) -> str:
    """Keep the tags of what is scaled."""
    made: str = register(asked)
    tags.setdefault(json.loads(made)["ScalableTargetARN"], {}).update(asked._get_param("Tags") or {})
    return made


def list_tags_for_resource(asked: ApplicationAutoScalingResponse) -> str:
    """Give the tags of what is scaled."""
    return json.dumps({"Tags": tags.get(asked._get_param("ResourceARN"), {})})


def description(rule: SecurityGroupRule) -> str | None:
    """Give a rule's description where it names a group, not a range of addresses, too."""
    found: str | None = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return found


for changed, name, new in (
    (BaseResponse, "call_action", call_action),
    (EC2ContainerServiceResponse, "create_service", create_service),
    (ApplicationAutoScalingResponse, "register_scalable_target", register_scalable_target),
    (ApplicationAutoScalingResponse, "list_tags_for_resource", list_tags_for_resource),
    (SecurityGroupRule, "description", property(description)),
):
    setattr(changed, name, new)

if __name__ == "__main__":
    main(["--host", "127.0.0.1", "--port", sys.argv[1]])
