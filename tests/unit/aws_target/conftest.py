"""An AWS on this machine, and a project whose staging Terraform's real provider applies there."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.tooling import provider
from tests.tools import need, until, without
from tests.unit.project import NAME, Project
from tools.need import Missing
from tools.ports import free_port

REGION = "eu-central-1"
BUCKET = "states"
ACTION = re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]+")
CALLED = {"elbv2": "elasticloadbalancing"}
"""Services that policies call otherwise."""
STATE = "state.s3.tfbackend"
STAGING = Path("infra/environments/staging")


@dataclass(frozen=True)
class Cloud:
    """Where it answers, how Terraform reaches it, and the file that names each action that it was asked for."""

    url: str
    env: dict[str, str]
    log: Path

    def client(self, service: str) -> Any:
        """Give a client of one service."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def asked(self) -> list[str]:
        """Name the actions so far, in their order."""
        return [action.partition(":")[2] for action in self.actions()]

    def actions(self) -> list[str]:
        """Name the actions so far with their services, as policies do."""
        found = [line.partition(":") for line in self.log.read_text().splitlines() if ACTION.fullmatch(line)]
        return [f"{CALLED.get(service, service)}:{action}" for service, _, action in found]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A server of moto."""
    need("terraform")
    scratch = tmp_path_factory.mktemp("cloud")
    (scratch / "provider").mkdir()
    try:
        found = provider.settings(scratch / "provider", "aws")
    except Missing as reason:
        without(str(reason))
    port = free_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
        "AWS_S3_USE_PATH_STYLE": "true",
        "NO_PROXY": "127.0.0.1",
    }
    program = [sys.executable, str(Path(__file__).with_name("moto_server.py")), str(port)]
    with (scratch / "log").open("ab") as log, subprocess.Popen(program, stdout=log, stderr=subprocess.STDOUT) as server:
        try:
            until(lambda: _answers(port), 60)
            yield Cloud(settings["AWS_ENDPOINT_URL"], {**settings, **found}, scratch / "log")
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def given(cloud: Cloud) -> dict[str, Any]:
    """What is there before an environment: a bucket for states, a network, a certificate."""
    cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = []
    for index in range(4):
        zone = f"{REGION}{'ab'[index % 2]}"
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=zone)
        subnets.append(made["Subnet"]["SubnetId"])
    zone = cloud.client("route53").create_hosted_zone(Name="example.org", CallerReference="once")["HostedZone"]
    certificate = cloud.client("acm").request_certificate(DomainName="delays.example.org")
    return {
        "region": REGION,
        "vpc_id": vpc,
        "load_balancer_subnet_ids": subnets[:2],
        "server_subnet_ids": subnets[2:],
        "certificate_arn": certificate["CertificateArn"],
        "domain": "delays.example.org",
        "zone_id": zone["Id"].removeprefix("/hostedzone/"),
        "client_cidrs": ["10.0.0.0/8"],
    }


@pytest.fixture
def place(cloud: Cloud, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose staging is local, and says where in AWS it could run."""
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "state"))
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    project = Project.make(tmp_path / NAME)
    (project.root / STAGING / STATE).write_text(f'bucket = "{BUCKET}"\nregion = "{REGION}"\n')
    write(project, given)
    project.commit("Say where in AWS staging may run")
    return project


def write(project: Project, given: dict[str, Any], **changed: Any) -> None:
    """Write staging's terraform.tfvars."""
    inputs = {"name": NAME, "port": free_port(), "replicas": {"min": 2, "max": 3}, "aws": given}
    inputs |= {"env": {"MERGELINE_OPEN": "1"}, **changed}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in inputs.items())
    (project.root / STAGING / "terraform.tfvars").write_text(text)
