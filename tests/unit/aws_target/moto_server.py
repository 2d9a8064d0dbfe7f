"""An AWS on this machine: moto's server, with what Terraform asks of it and it lacks. Argument: the port.

It prints each action that it is asked for, as service:Action.
"""

import json
import sys
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.budgets.responses import BudgetsResponse
from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.server import main

call = BaseResponse.call_action
create = EC2ContainerServiceResponse.create_service
register = ApplicationAutoScalingResponse.register_scalable_target
budget = BudgetsResponse.create_budget
tags: dict[str, dict[str, str]] = {}


def call_action(asked: BaseResponse) -> TYPE_RESPONSE:
    """Say what is asked for."""
    sys.stdout.write(f"{asked.service_name}:{asked._get_action()}\n")
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


def create_budget(asked: BudgetsResponse) -> str:
    """Keep the tags of a budget."""
    tags[asked._get_param("Budget")["BudgetName"]] = {
        one["Key"]: one["Value"] for one in asked._get_param("ResourceTags") or []
    }
    made: str = budget(asked)
    return made


def describe_subscribers_for_notification(asked: BudgetsResponse) -> str:
    """Give who is told of what a budget watches."""
    name, watched = asked._get_param("BudgetName"), asked._get_param("Notification")
    kept = asked.backend.budgets[asked._get_param("AccountId")][name].notifications
    return json.dumps({"Subscribers": next(one.subscribers for one in kept if one.details == watched)})


def list_tags_of_budget(asked: BudgetsResponse) -> str:
    """Give the tags of a budget."""
    found = tags.get(asked._get_param("ResourceARN").rpartition("/")[2], {})
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in found.items()]})


def description(rule: SecurityGroupRule) -> str | None:
    """Give a rule's description where it names a group, not a range of addresses, too."""
    found: str | None = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return found


for changed, name, new in (
    (BaseResponse, "call_action", call_action),
    (EC2ContainerServiceResponse, "create_service", create_service),
    (ApplicationAutoScalingResponse, "register_scalable_target", register_scalable_target),
    (ApplicationAutoScalingResponse, "list_tags_for_resource", list_tags_for_resource),
    (BudgetsResponse, "create_budget", create_budget),
    (BudgetsResponse, "describe_subscribers_for_notification", describe_subscribers_for_notification),
    (BudgetsResponse, "list_tags_for_resource", list_tags_of_budget),
    (SecurityGroupRule, "description", property(description)),
):
    setattr(changed, name, new)

if __name__ == "__main__":
    main(["--host", "127.0.0.1", "--port", sys.argv[1]])
