"""An AWS on this machine, and an environment in it that Terraform applies with its real provider."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.tooling import provider
from tests.tools import need, until, without
from tests.unit.project import NAME, TEMPLATE
from tools.need import Missing

REGION = "eu-central-1"
DIGEST = "sha256:" + "2" * 64
ROOT = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  default_tags {
    tags = { project = "flight-delays" }
  }
}
"""


@dataclass(frozen=True)
class Cloud:
    """Where it answers, what is there before Terraform, and how Terraform reaches it."""

    url: str
    env: dict[str, str]
    given: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Give a client of one service."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)


@dataclass(frozen=True)
class Environment:
    """A root that holds the module, as an environment's does."""

    folder: Path
    cloud: Cloud
    seconds: dict[str, float] = field(default_factory=dict)

    def write(self, **changed: Any) -> None:
        """Write the root; `changed` are inputs of the module."""
        inputs = {
            "source": "./service",
            "name": NAME,
            "environment": "staging",
            "port": 8443,
            "replicas": {"min": 2, "max": 3},
            **self.cloud.given,
            **changed,
        }
        outputs = {name: {"value": f"${{module.service.{name}}}"} for name in ("url", "release_id", "revision")}
        (self.folder / "main.tf").write_text(ROOT)
        (self.folder / "service.tf.json").write_text(
            json.dumps({"module": {"service": inputs}, "output": outputs})
        )

    def terraform(self, *arguments: str, code: int = 0) -> str:
        begun = time.monotonic()
        done = subprocess.run(
            [need("terraform"), f"-chdir={self.folder}", *arguments],
            env={**os.environ, "CHECKPOINT_DISABLE": "1", **self.cloud.env},
            capture_output=True,
            text=True,
            check=False,
        )
        self.seconds[arguments[0]] = time.monotonic() - begun
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def apply(self, **changed: Any) -> str:
        """Apply with these inputs, prove that a second plan is empty, and give what was done."""
        self.write(**changed)
        said = self.terraform("apply", "-auto-approve", "-input=false", "-no-color")
        self.terraform("plan", "-detailed-exitcode", "-input=false", "-no-color")
        print(" ".join(f"{verb} {took:.1f} s" for verb, took in self.seconds.items()))  # noqa: T201 - for the record
        return said

    def output(self, name: str) -> str | None:
        found = json.loads(self.terraform("output", "-json")).get(name, {}).get("value")
        return None if found is None else str(found)


def pin(digit: str, *, experiment: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give a pin whose release has an id of this digit."""
    release = {
        "id": digit * 64,
        "image": f"registry.example/{NAME}@{DIGEST}",
        "model": {"name": NAME, "bundle_id": digit * 64},
    }
    return {"release": release, "experiment": experiment}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A server of moto with a network and a certificate."""
    scratch = tmp_path_factory.mktemp("cloud")
    (scratch / "provider").mkdir()
    try:
        found = provider.aws(scratch / "provider")
    except Missing as reason:
        without(str(reason))
    port = free_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
        "NO_PROXY": "127.0.0.1",
    }
    with (scratch / "log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("moto_server.py"), str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        bare = Cloud(settings["AWS_ENDPOINT_URL"], {**settings, **found})
        until(lambda: _answers(port), 60)
        yield Cloud(bare.url, bare.env, _given(bare))
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _given(cloud: Cloud) -> dict[str, Any]:
    """Make the network and the certificate that an environment finds."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{'ab'[index % 2]}")[
            "Subnet"
        ]["SubnetId"]
        for index in range(4)
    ]
    certificate = cloud.client("acm").request_certificate(DomainName="delays.example.org")["CertificateArn"]
    return {
        "vpc_id": vpc,
        "load_balancer_subnet_ids": subnets[:2],
        "server_subnet_ids": subnets[2:],
        "certificate_arn": certificate,
        "domain": "delays.example.org",
        "client_cidrs": ["10.0.0.0/8"],
    }


@pytest.fixture
def place(cloud: Cloud, tmp_path: Path) -> Iterator[Environment]:
    """An environment of which nothing is applied."""
    module = TEMPLATE / "infra/modules/service/aws"
    shutil.copytree(module, tmp_path / "service", ignore=shutil.ignore_patterns(".terraform*", "tests"))
    made = Environment(tmp_path, cloud)
    made.write(pin={"release": None, "experiment": None})
    made.terraform("init", "-input=false", "-no-color")
    yield made
    made.terraform("destroy", "-auto-approve", "-input=false", "-no-color")
