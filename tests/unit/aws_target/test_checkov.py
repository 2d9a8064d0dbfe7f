"""What is known to be unsafe in AWS is not in the modules; each exception stands beside its reason."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.tooling import checkov
from tests.tools import without
from tests.unit.project import TEMPLATE
from tools.need import HERE, Missing

pytestmark = pytest.mark.slow

INFRA = TEMPLATE / "infra"
PLATFORM = HERE / "infra" / "platform"
EXCEPTION = re.compile(r"#checkov:skip=(CKV2?_[A-Z]+_\d+):(.{20,})")


def checked(folder: Path) -> dict[str, Any]:
    """Give checkov's results for a folder."""
    try:
        program = checkov.find()
    except Missing as reason:
        without(str(reason))
    command = [
        str(program),
        "--directory",
        str(folder),
        "--framework",
        "terraform",
        "--output",
        "json",
        "--skip-download",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)["results"]
    return found


def failed(found: dict[str, Any]) -> list[str]:
    return [f"{one['check_id']} {one['resource']}" for one in found["failed_checks"]]


@pytest.mark.parametrize("folder", [INFRA, PLATFORM], ids=["modules", "platform"])
def test_no_known_weakness_is_in_a_module(folder: Path) -> None:
    found = checked(folder)

    assert failed(found) == []
    assert len(found["passed_checks"]) > 50
    exceptions = [line for file in folder.rglob("*.tf") for line in file.read_text().splitlines() if "checkov:" in line]
    assert all(EXCEPTION.search(line) for line in exceptions)
    assert {one["check_id"] for one in found["skipped_checks"]} == {
        match[1] for line in exceptions if (match := EXCEPTION.search(line))
    }


def test_a_public_address_is_seen(tmp_path: Path) -> None:
    module = shutil.copytree(INFRA / "modules/service/aws", tmp_path / "aws")
    main = module / "main.tf"
    main.write_text(main.read_text().replace("assign_public_ip = false", "assign_public_ip = true"))

    assert failed(checked(module)) == ["CKV_AWS_333 aws_ecs_service.server"]
