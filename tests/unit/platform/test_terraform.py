"""Terraform's own checks of the platform, with a provider that makes nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tools import need
from tests.unit.local_target.test_terraform import providers, terraform
from tests.unit.platform.conftest import PLATFORM


def test_every_file_is_formatted() -> None:
    subprocess.run([need("terraform"), "fmt", "-check", "-diff", "-recursive", PLATFORM], check=True)


@pytest.mark.slow
def test_it_is_valid_and_keeps_what_it_promises(tmp_path: Path) -> None:
    copy = shutil.copytree(PLATFORM, tmp_path / "platform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    env = providers("aws", tmp_path)
    terraform(copy, tmp_path / "data", "init", "-input=false", "-no-color", env=env)

    terraform(copy, tmp_path / "data", "validate", env=env)
    said = terraform(copy, tmp_path / "data", "test", "-no-color", env=env)

    assert "0 failed" in said


def test_every_variable_says_what_it_is_of_which_type() -> None:
    for file in PLATFORM.rglob("variables.tf"):
        for block in file.read_text().split('\nvariable "')[1:]:
            assert "description =" in block, block[:40]
            assert "type " in block, block[:40]
