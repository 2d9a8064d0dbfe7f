"""Terraform's own checks, on the files where they stand and on the environments as they are rendered."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mergeline.release import targets
from tests.tooling import provider
from tests.tools import need, without
from tests.unit.project import ENVIRONMENTS, TEMPLATE
from tools.bake import bake
from tools.need import Missing

INFRA = TEMPLATE / "infra"
NAME = "late-planes"
MODULES = sorted(path.parent for path in INFRA.glob("modules/service/*/main.tf"))


def terraform(folder: Path, data: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [need("terraform"), f"-chdir={folder}", *arguments],
        env={**os.environ, "TF_DATA_DIR": str(data), "CHECKPOINT_DISABLE": "1", **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def providers(module: str, scratch: Path) -> dict[str, str]:
    """Give the variables with which Terraform finds the provider that a module asks for."""
    (scratch / "provider").mkdir()
    name = {"kubernetes": "kubectl"}.get(module, module)
    asked = [name] if name in provider.PROVIDERS else []
    try:
        return provider.settings(scratch / "provider", *asked)
    except Missing as reason:
        without(str(reason))


def test_every_file_is_formatted() -> None:
    subprocess.run([need("terraform"), "fmt", "-check", "-diff", "-recursive", INFRA], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_is_valid_and_keeps_the_contract(module: Path, tmp_path: Path) -> None:
    copy = tmp_path / "module"
    shutil.copytree(module, copy, ignore=shutil.ignore_patterns(".terraform*"))
    env = providers(module.name, tmp_path)
    terraform(copy, tmp_path / "data", "init", "-input=false", "-no-color", env=env)

    terraform(copy, tmp_path / "data", "validate", env=env)
    said = terraform(copy, tmp_path / "data", "test", "-no-color", env=env)

    assert "0 failed" in said
    assert "contract.tftest.hcl" in said


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as a person gets it, with a name that differs from the first answer."""
    return bake(tmp_path_factory.mktemp("generated"), {"project": NAME})


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_valid_and_starts_without_a_release(
    environment: str, generated: Path, tmp_path: Path
) -> None:
    folder = generated / "infra/environments" / environment
    terraform(folder, tmp_path / "data", "init", "-input=false", "-no-color", "-backend-config=path=x.tfstate")

    terraform(folder, tmp_path / "data", "validate")
    said = terraform(folder, tmp_path / "data", "plan", "-input=false", "-no-color")

    assert "2 to add" in said
    assert (folder / "pin.json").read_text() == '{\n  "experiment": null,\n  "release": null\n}\n'


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_of_a_docker_project_is_valid(environment: str, tmp_path: Path) -> None:
    folder = bake(tmp_path, {"project": NAME, "target": "docker"}) / "infra/environments" / environment
    env = providers("docker", tmp_path)
    terraform(folder, tmp_path / "data", "init", "-input=false", "-no-color", "-backend=false", env=env)

    terraform(folder, tmp_path / "data", "validate", env=env)

    target = "local" if environment == "dev" else "docker"
    assert f'source = "../../modules/service/{target}"' in (folder / "target.tf").read_text()


def test_an_environment_in_aws_can_set_all_that_only_this_target_knows() -> None:
    known = re.findall(r'^variable "(\w+)"', (INFRA / "modules/service/aws/extras.tf").read_text(), re.MULTILINE)
    written = targets.written(NAME, "staging", "aws")

    assert len(known) > 10
    assert [name for name in known if not re.search(rf"^  {name} += var\.aws\.{name}$", written, re.MULTILINE)] == []


INTERFACE = ("variables.tf", "outputs.tf", "tests/contract.tftest.hcl")


def differing(modules: list[Path]) -> list[str]:
    """Name the files of the interface that are not byte-equal in all modules."""
    return [name for name in INTERFACE if len({(module / name).read_bytes() for module in modules}) > 1]


def test_interfaces_of_modules_and_main_files_of_environments_are_byte_equal() -> None:
    assert len(MODULES) > 1
    assert differing(MODULES) == []
    assert len({(INFRA / f"environments/{name}/main.tf").read_bytes() for name in ENVIRONMENTS}) == 1


@pytest.mark.parametrize("name", INTERFACE)
def test_one_byte_of_an_interface_is_seen(name: str, tmp_path: Path) -> None:
    copies = [shutil.copytree(module, tmp_path / module.name) for module in MODULES]
    changed = bytearray((copies[0] / name).read_bytes())
    changed[-2] ^= 1
    (copies[0] / name).write_bytes(changed)

    assert differing(copies) == [name]


def test_no_test_file_has_a_name_that_terraform_ignores() -> None:
    assert not list(INFRA.rglob("*_tftest.hcl"))
    assert list(INFRA.rglob("*.tftest.hcl"))
