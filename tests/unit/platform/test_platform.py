"""The platform, applied by the real provider to moto: it stands, changes, is found by a project's doctor, and goes."""

import json
import re
from fnmatch import fnmatch
from typing import Any

import pytest

from mergeline import doctor
from mergeline.doctor.finding import Finding
from mergeline.release import retarget, terraform
from tests.local_forge.api import GitHubAPI
from tests.unit.aws_target.conftest import Cloud, given, place, write
from tests.unit.aws_target.test_apply import release
from tests.unit.doctor.test_hosting import api, project
from tests.unit.platform.conftest import PROJECT, Platform
from tests.unit.project import NAME, Project

__all__ = ["api", "given", "place", "project"]

pytestmark = pytest.mark.slow
KEYS = ("kms_key_arn", "permissions_boundary_arn")
"""What the servers of an environment in AWS take from the platform, beside its network."""


def trust(platform: Platform, role: str) -> dict[str, Any]:
    """Give the conditions under which a job may take a role."""
    found = platform.cloud.client("iam").get_role(RoleName=f"mergeline-flight-delays-{role}")["Role"]
    (statement,) = found["AssumeRolePolicyDocument"]["Statement"]
    conditions: dict[str, Any] = statement["Condition"]
    return conditions


def may(platform: Platform, role: str) -> list[dict[str, Any]]:
    """Give the statements of what a role may do."""
    iam = platform.cloud.client("iam")
    found = iam.get_role_policy(RoleName=f"mergeline-flight-delays-{role}", PolicyName="may")
    statements: list[dict[str, Any]] = found["PolicyDocument"]["Statement"]
    return statements


def actions(platform: Platform, role: str) -> set[str]:
    return {action for statement in may(platform, role) for action in statement["Action"]}


def test_a_second_plan_is_empty_and_a_new_project_touches_nothing_else(platform: Platform) -> None:
    assert platform.settled()

    platform.write(projects={"flight-delays": PROJECT, "late-trains": {"repository": "octo/late-trains"}})
    assert re.search(r"[1-9]\d* added, 0 changed, 0 destroyed", platform.terraform("apply", "-auto-approve"))
    assert platform.settled()
    platform.write()
    assert re.search(r"0 added, 0 changed, [1-9]\d* destroyed", platform.terraform("apply", "-auto-approve"))


def test_every_bucket_is_encrypted_versioned_private_and_logs_who_reads(platform: Platform) -> None:
    s3 = platform.cloud.client("s3")
    names = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("mergeline-")]

    assert len(names) == 4
    for name in names:
        (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        is_log = name.startswith("mergeline-logs-")
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == ("AES256" if is_log else "aws:kms")
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=name)["Policy"]
        assert is_log or s3.get_bucket_logging(Bucket=name)["LoggingEnabled"]["TargetBucket"].startswith(
            "mergeline-logs-"
        )
        assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]


@pytest.mark.parametrize(
    ("role", "subject", "claims"),
    [
        ("release", "ref:refs/heads/main", {"ref": "refs/heads/main"}),
        ("staging", "environment:staging", {"ref": "refs/heads/main", "environment": "staging"}),
        ("production", "environment:production", {"ref": "refs/heads/main", "environment": "production"}),
    ],
)
def test_a_role_that_writes_is_for_main_and_its_environment_alone(
    platform: Platform, role: str, subject: str, claims: dict[str, str]
) -> None:
    found = trust(platform, role)

    issuer = "token.actions.githubusercontent.com"
    asked = {"aud": "sts.amazonaws.com", "repository": "octo/flight-delays", **claims}
    assert found["StringEquals"] == {f"{issuer}:{name}": value for name, value in asked.items()}
    assert found["StringLike"][f"{issuer}:sub"] == [
        f"repo:octo/flight-delays:{subject}",
        f"repo:octo@*/flight-delays@*:{subject}",
    ]


def test_a_pull_requests_role_changes_nothing(platform: Platform) -> None:
    reads = ("Get", "List", "Describe", "Decrypt")

    assert all(action.partition(":")[2].startswith(reads) for action in actions(platform, "read"))
    assert not any("secretsmanager" in action for action in actions(platform, "read"))


@pytest.mark.parametrize("role", ["read", "release", "staging", "production"])
def test_no_role_may_do_everything_or_free_itself(platform: Platform, role: str) -> None:
    assert not any(action == "*" or action.endswith(":*") for action in actions(platform, role))
    assert not {"iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:CreateUser"} & actions(platform, role)
    for statement in may(platform, role):
        if "iam:CreateRole" in statement["Action"]:
            assert "iam:PermissionsBoundary" in statement["Condition"]["StringEquals"]


def test_a_deployment_writes_the_state_of_its_own_environment(platform: Platform) -> None:
    written = [one["Resource"] for one in may(platform, "staging") if "s3:PutObject" in one["Action"]]

    state = "arn:aws:s3:::mergeline-states-123456789012/flight-delays/staging.tfstate"
    assert written == [[state, f"{state}.tflock"]]


def test_the_servers_password_is_nowhere_but_in_secrets_manager(platform: Platform) -> None:
    ecs = platform.cloud.client("ecs")
    (container,) = ecs.describe_task_definition(taskDefinition="mergeline-mlflow")["taskDefinition"][
        "containerDefinitions"
    ]

    (secret,) = container["secrets"]
    assert (secret["name"], secret["valueFrom"].startswith("arn:aws:secretsmanager:")) == ("PGPASSWORD", True)
    assert "mlflow@" in " ".join(container["command"]), "the address has no password in it"
    (database,) = platform.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert (database["PubliclyAccessible"], database["StorageEncrypted"]) == (False, True)


def test_the_doctor_of_a_project_finds_all_of_it(
    platform: Platform, project: Project, api: GitHubAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in platform.cloud.env.items():
        monkeypatch.setenv(name, value)
    told = platform.project()
    (project.root / ".github").mkdir()
    (project.root / ".github/platform.json").write_text(json.dumps(told))
    (project.root / ".github/repository.yml").write_text("main: {}\n")
    settled = {"bucket": told["state_bucket"], "region": told["region"]}
    staging = project.root / "infra/environments/staging"
    (staging / "state.s3.tfbackend").write_text("".join(f'{key} = "{value}"\n' for key, value in settled.items()))
    its = {"vpc_id": told["network"]["vpc_id"], **{key: told[key] for key in KEYS}}
    lines = "".join(f'  {key} = "{value}"\n' for key, value in {"region": told["region"], **its}.items())
    (staging / "terraform.tfvars").write_text(f'name = "{NAME}"\naws = {{\n{lines}}}\n')
    with (project.root / ".dvc/config").open("a") as config:
        config.write(f"    remote = platform\n['remote \"platform\"']\n    url = {told['dvc_remote']}\n")

    def found() -> list[Finding]:
        return doctor.examine(project.root).places["platform"]

    unset = {one.what for one in found() if one.level != "ok"}
    assert unset == {"AWS_REGION", "AWS_ROLES", "REGISTRY"}

    assert doctor.run(project.root, json=True, apply=True) == 0

    assert [one for one in found() if one.level != "ok"] == []
    assert {one.what for one in found()} >= {
        *("data", "states", "network", "staging", "production"),
        *("role read", "role release", "role staging", "role production"),
    }
    assert api.variables["AWS_ROLES"] == told["variables"]["AWS_ROLES"]


def test_a_deployment_asks_for_nothing_that_its_role_may_not(
    platform: Platform, cloud: Cloud, place: Project, given: dict[str, Any]
) -> None:
    told = platform.project()
    write(place, {**given, **{key: told[key] for key in KEYS}})
    earlier = len(cloud.actions())
    retarget.run(place.root, "staging", "aws")
    for digit in "12":
        place.pin("staging").write_text(json.dumps({"release": release(digit), "experiment": None}))
        terraform.apply(place.root, "staging")
    terraform.destroy(place.root, "staging")
    asked = set(cloud.actions()[earlier:]) - {"sts:GetCallerIdentity"}

    def refused(role: str) -> set[str]:
        allowed = actions(platform, role)
        return {name for name in asked if not any(fnmatch(name, pattern) for pattern in allowed)}

    assert len(asked) > 40
    assert refused("staging") == set()
    looks = {name for name in asked if name.partition(":")[2].startswith(("Describe", "Get", "List"))}
    assert refused("read") == asked - looks
