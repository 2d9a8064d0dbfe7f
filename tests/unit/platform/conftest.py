"""The organisation's platform, for the real provider to apply to an AWS on this machine."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools import need
from tests.unit.aws_target.conftest import BUCKET, REGION, Cloud, cloud
from tests.unit.aws_target.test_apply import clusters
from tools.need import HERE

__all__ = ["cloud"]

PLATFORM = HERE / "infra" / "platform"
PROJECT = {"repository": "octo/flight-delays", "zone_ids": ["Z0123456789ABCDEFGHIJ"]}
MLFLOW = f"registry.example/mlflow@sha256:{'2' * 64}"
LOOK = {
    "buckets": ("s3", "list_buckets", "Buckets"),
    "images": ("ecr", "describe_repositories", "repositories"),
    "roles": ("iam", "list_roles", "Roles"),
    "issuers": ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList"),
    "databases": ("rds", "describe_db_instances", "DBInstances"),
    "balancers": ("elbv2", "describe_load_balancers", "LoadBalancers"),
    "logs": ("logs", "describe_log_groups", "logGroups"),
    "ways out": ("ec2", "describe_nat_gateways", "NatGateways"),
    "addresses": ("ec2", "describe_addresses", "Addresses"),
    "endpoints": ("ec2", "describe_vpc_endpoints", "VpcEndpoints"),
    "flows": ("ec2", "describe_flow_logs", "FlowLogs"),
}
ELSE = {("deleted", None), (None, BUCKET)}
"""State and name of what is gone already, or another test's."""


class Platform:
    """Its folder, and what is done to it step by step."""

    def __init__(self, folder: Path, data: Path, cloud: Cloud) -> None:
        self.folder, self.data, self.cloud = folder, data, cloud
        asked = cloud.client("acm").request_certificate(DomainName="mlflow.example.org")
        self.certificate = str(asked["CertificateArn"])

    def terraform(self, verb: str, *more: str) -> str:
        """Run a verb; give what it printed. It takes minutes where the provider waits for what moto has at once."""
        begun = time.monotonic()
        done = subprocess.run(
            [need("terraform"), f"-chdir={self.folder}", verb, "-no-color", *more],
            env={**os.environ, **self.cloud.env, "TF_DATA_DIR": str(self.data), "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        print(f"{verb} {time.monotonic() - begun:.1f} s")  # noqa: T201 - for the record
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return done.stdout

    def write(self, **changed: Any) -> None:
        """Write terraform.tfvars.json."""
        given = {
            "region": REGION,
            "protected": False,
            "projects": {"flight-delays": PROJECT},
            "budget": {"monthly_usd": 400, "emails": ["ops@example.org"]},
            "mlflow": {
                "image": MLFLOW,
                "domain": "mlflow.example.org",
                "certificate_arn": self.certificate,
                "client_cidrs": ["10.0.0.0/8"],
            },
        }
        (self.folder / "terraform.tfvars.json").write_text(json.dumps({**given, **changed}))

    def settled(self) -> bool:
        """Say whether a plan has nothing to do."""
        return "No changes." in self.terraform("plan", "-input=false")

    def project(self) -> dict[str, Any]:
        """Give what the project's .github/platform.json holds."""
        found: dict[str, Any] = json.loads(self.terraform("output", "-json", "projects"))["flight-delays"]
        return found

    def there(self) -> dict[str, int]:
        """Count what there is of each kind that the platform makes."""
        found = {"clusters": len(clusters(self.cloud))}
        for kind, (service, verb, key) in LOOK.items():
            all_ = getattr(self.cloud.client(service), verb)()[key]
            found[kind] = sum(1 for one in all_ if (one.get("State"), one.get("Name")) not in ELSE)
        return {kind: count for kind, count in found.items() if count}


@pytest.fixture(scope="session")
def platform(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """It stands, and when all is done nothing of it is left."""
    scratch = tmp_path_factory.mktemp("platform")
    folder = shutil.copytree(PLATFORM, scratch / "platform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    made = Platform(folder, scratch / "data", cloud)
    before = made.there()
    made.write()
    made.terraform("init", "-input=false")
    made.terraform("apply", "-auto-approve", "-input=false")
    yield made
    made.terraform("destroy", "-auto-approve", "-input=false")
    assert made.there() == before
