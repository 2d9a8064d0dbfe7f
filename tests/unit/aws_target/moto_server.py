"""An AWS on this machine: moto's server, with what Terraform asks of it and it lacks. Argument: the port."""

import json
import sys
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.server import main

create = EC2ContainerServiceBackend.create_service


def create_service(backend: EC2ContainerServiceBackend, *arguments: Any, **named: Any) -> Service:
    """Say of a service that all its tasks run at once, and what became of the setting that moto drops."""
    service = create(backend, *arguments, **named)
    service.running_count, service.pending_count = service.desired_count, 0
    service.availability_zone_rebalancing = "DISABLED"
    return service


def list_tags(response: ApplicationAutoScalingResponse) -> str:
    """Give no tags."""
    return json.dumps({"Tags": {}})


def description(rule: SecurityGroupRule) -> str | None:
    """Give a rule's description where it names a group, not a range of addresses, too."""
    found: str | None = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return found


EC2ContainerServiceBackend.create_service = create_service
ApplicationAutoScalingResponse.list_tags_for_resource = list_tags
SecurityGroupRule.description = property(description)

if __name__ == "__main__":
    main(["--host", "127.0.0.1", "--port", sys.argv[1]])
