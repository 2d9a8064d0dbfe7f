"""What .github/platform.json names is there, or the doctor says in a line what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from mergeline import doctor
from mergeline.doctor import platform
from mergeline.doctor.finding import Finding
from mergeline.errors import BadSettings, ForgeTrouble
from tests.local_forge.api import GitHubAPI
from tests.unit.doctor.test_hosting import api, project
from tests.unit.project import NAME, Project

pytestmark = pytest.mark.slow

__all__ = ["api", "project"]

ARN = "arn:aws:iam::123456789012"
GOOD: dict[str, Any] = {
    "version": 1,
    "project": NAME,
    "region": "eu-central-1",
    "state_bucket": "mergeline-states-123456789012",
    "dvc_remote": f"s3://mergeline-dvc-123456789012/{NAME}",
    "kms_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/0a",
    "permissions_boundary_arn": f"{ARN}:policy/mergeline-{NAME}-servers",
    "network": {
        "vpc_id": "vpc-0a",
        "load_balancer_subnet_ids": ["subnet-0a", "subnet-0b"],
        "server_subnet_ids": ["subnet-0c", "subnet-0d"],
        "access_log_bucket": "mergeline-logs-123456789012",
    },
    "environments": ["staging"],
    "variables": {"AWS_REGION": "eu-central-1", "AWS_ROLES": json.dumps({"read": f"{ARN}:role/read"})},
}


@pytest.fixture
def file(project: Project) -> Path:
    """The file, as the platform's output is."""
    (project.root / ".github").mkdir()
    made = project.root / platform.FILE
    made.write_text(json.dumps(GOOD))
    return made


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of AWS, wherever this runs."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")


def by_name(findings: Any) -> dict[str, Finding]:
    return {found.what: found for found in findings}


def test_without_the_file_one_line_says_so(project: Project) -> None:
    (found,) = doctor.examine(project.root).places["platform"]

    assert found.level == "ok"
    assert platform.FILE in found.says


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 2}, "version"),
        ({"region": ""}, "region"),
        ({"password": "x"}, "unknown field"),
        ({"project": "another"}, "is of another, and this is flight-delays"),
    ],
)
def test_a_bad_file_is_one_clear_line_with_the_remedy(
    project: Project, file: Path, changed: dict[str, Any], said: str
) -> None:
    file.write_text(json.dumps({**GOOD, **changed}))

    (found,) = doctor.examine(project.root).places["platform"]

    assert (found.level, found.what, found.code) == ("fail", "platform", BadSettings.code)
    assert said in found.says
    assert "\n" not in found.says
    assert "apply it" in found.remedy


def test_a_file_that_is_no_json_at_all_is_one_line(project: Project, file: Path) -> None:
    file.write_text("{")

    with pytest.raises(BadSettings, match=r"platform\.json"):
        platform.named(project.root)


@pytest.mark.usefixtures("file")
def test_what_the_repository_lacks_is_named_with_its_remedy(project: Project) -> None:
    found = by_name(platform.platform(project.root))

    assert "dvc remote add --default --force platform s3://mergeline-dvc" in found["data"].remedy
    assert found["staging"].says.startswith("does not run in AWS")
    (project.root / platform.STATE.format("staging")).write_text('bucket = "other"\nregion = "eu-central-1"\n')
    wrong = by_name(platform.platform(project.root))["staging"]
    assert wrong.level == "warn"
    assert "bucket of state.s3.tfbackend is other, not mergeline-states-123456789012" in wrong.says
    assert "vpc_id of terraform.tfvars is not given, not vpc-0a" in wrong.says


@pytest.mark.usefixtures("file")
def test_an_environment_that_is_not_there_is_named(project: Project) -> None:
    (project.root / "infra/environments/staging/target.tf").unlink()

    assert (
        "there is no infra/environments/staging/target.tf" in by_name(platform.platform(project.root))["staging"].says
    )


@pytest.mark.usefixtures("file")
def test_variables_of_the_forge_are_shown_until_they_are_set(project: Project, api: GitHubAPI) -> None:
    api.variables["AWS_REGION"] = "us-east-1"
    before = by_name(platform.platform(project.root))
    assert (before["AWS_REGION"].level, before["AWS_ROLES"].level) == ("warn", "warn")
    assert before["AWS_ROLES"].says.startswith("not set")

    done = list(platform.apply(project.root))

    assert [one.level for one in done] == ["ok", "ok"]
    assert api.variables == GOOD["variables"]
    after = by_name(platform.platform(project.root))
    assert {after[name].level for name in GOOD["variables"]} == {"ok"}
    assert list(platform.apply(project.root)) == []


@pytest.mark.usefixtures("file")
def test_a_token_that_may_not_set_a_variable_is_told_so(project: Project, api: GitHubAPI) -> None:
    api.fail["actions/create-repo-variable"] = (403, {"message": "Resource not accessible by integration"})

    assert {(one.level, one.code) for one in platform.apply(project.root)} == {("fail", ForgeTrouble.code)}


@pytest.mark.usefixtures("file")
def test_without_credentials_aws_is_not_asked(project: Project) -> None:
    (*_, found) = platform.platform(project.root)

    assert (found.level, found.what) == ("warn", "states")
    assert "AWS_PROFILE" in found.remedy
