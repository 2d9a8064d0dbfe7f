"""`model doctor`: what is missing, each with the remedy; the exit code is that of the worst failure."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mergeline import doctor
from mergeline.doctor import machine, repository
from mergeline.doctor.finding import Finding
from tests.unit.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path / "flight-delays")


def only(findings: object) -> Finding:
    (found,) = list(findings)  # type: ignore[call-overload]
    assert isinstance(found, Finding)
    return found


def by_name(findings: object) -> dict[str, Finding]:
    return {found.what: found for found in findings}  # type: ignore[attr-defined]


def test_a_good_project_has_no_failure_of_its_own(project: Project) -> None:
    found = doctor.examine(project.root)

    names = ("own code", "params.yaml", "gates.yaml", "history", "dvc.lock", "data", "dvc remote", "large files")
    here = by_name(found.places["repository"])
    assert {name: here[name].level for name in names} == dict.fromkeys(names, "ok")


def test_another_python_than_the_settings_say_is_a_failure(project: Project) -> None:
    (project.root / "params.yaml").write_text('python: "3.9"\ntask: classification\n')

    found = only(machine.python(project.root))

    assert (found.level, found.code) == ("fail", 10)
    assert "params.yaml says 3.9" in found.says
    assert "make setup" in found.remedy


def test_unknown_settings_fail_with_the_code_of_settings(project: Project) -> None:
    (project.root / "params.yaml").write_text('python: "3.11"\ntask: classification\nmodle: {}\n')

    found = doctor.examine(project.root)

    assert by_name(found.places["repository"])["params.yaml"].code == 6
    assert found.code() >= 6


def test_an_unknown_committer_is_a_warning(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(machine.git_identity(project.root)).level == "ok"
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    project.git("config", "--unset", "user.name")
    project.git("config", "--unset", "user.email")

    found = only(machine.git_identity(project.root))

    assert found.level == "warn"
    assert "git config --global user.name" in found.remedy


@pytest.mark.parametrize(("said", "level"), [("1.11.4", "ok"), ("1.9.8", "warn"), (None, "warn")])
def test_terraform_is_asked_for_its_version(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, level: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if said:
        (programs / "terraform").write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{said}"}}\'\n')
        (programs / "terraform").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin" if said else str(programs))

    assert only(machine.terraform(project.root)).level == level


def test_an_environment_that_runs_on_docker_asks_for_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert only(machine.docker(project.root)).level == "ok"
    target = project.root / "infra/environments/staging/target.tf"
    target.write_text(target.read_text().replace("service/local", "service/docker"))

    found = only(machine.docker(project.root))

    assert found.level == "warn"
    assert "needed by `make image`, `model deploy staging`" in found.says


def test_an_environment_that_runs_in_a_cluster_asks_for_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(machine.kubernetes(project.root)) == []
    target = project.root / "infra/environments/staging/target.tf"
    target.write_text(target.read_text().replace("service/local", "service/kubernetes"))

    found = only(machine.kubernetes(project.root))

    assert found.level == "warn"
    assert found.says == "not on the PATH; it is needed by `model deploy staging`"


def test_a_port_that_is_taken_is_named_with_its_taker(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = project.root / "infra/environments/staging/terraform.tfvars"
        settings.write_text(f'name = "flight-delays"\nport = {port}\n')

        found = by_name(machine.ports(project.root))["port of staging"]

    assert (found.level, found.code) == ("fail", 11)
    assert f"{port} is taken by" in found.says
    assert f"pid {os.getpid()}" in found.says


def test_packages_that_differ_from_the_lock_are_named(project: Project) -> None:
    lock = project.root / "requirements/train.txt"
    lock.parent.mkdir()
    lock.write_text("nimpy==1.0 \\\n    --hash=sha256:00\nmsgspec==0.0.1\ncolorama==9 ; sys_platform == 'win32'\n")

    found = only(repository.packages(project.root))

    assert (found.level, found.code) == ("fail", 10)
    assert "nimpy is missing, msgspec is " in found.says
    assert "colorama" not in found.says


def test_a_shallow_clone_is_a_warning(project: Project, tmp_path: Path) -> None:
    project.commit("Second")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", project.root.as_uri(), clone], check=True)

    found = only(repository.history(clone))

    assert found.level == "warn"
    assert found.remedy == "Run `git fetch --unshallow`."


def test_a_branch_that_commits_the_lock_fails(project: Project) -> None:
    project.git("switch", "--quiet", "--create", "change")
    (project.root / "dvc.lock").write_text("schema: '2.0'\n")
    project.git("add", "--force", "dvc.lock")

    found = only(repository.lock(project.root))

    assert (found.level, found.code) == ("fail", 8)
    assert "only a release may" in found.says


def test_data_without_a_remote_fails(project: Project) -> None:
    (project.root / "rows.csv.dvc").write_text("outs: []\n")
    project.git("add", "rows.csv.dvc")

    found = only(repository.data(project.root))

    assert (found.level, found.code) == ("fail", 8)
    assert "dvc remote add" in found.says


def test_a_remote_that_does_not_answer_fails(project: Project) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "init", "--force", "--quiet"], cwd=project.root, check=True)
    (project.root / ".dvc/config").write_text(
        "[core]\n    analytics = false\n    remote = storage\n['remote \"storage\"']\n    url = webdav://127.0.0.1:9/x\n"
    )

    found = only(repository.remote(project.root))

    assert (found.level, found.code) == ("fail", 8)
    assert "requires 'dvc-webdav' to be installed" in found.says


def test_a_remote_with_nothing_there_is_a_warning(project: Project, tmp_path: Path) -> None:
    config = project.root / ".dvc/config"
    config.write_text(f"{config.read_text()}    remote = far\n['remote \"far\"']\n    url = {tmp_path / 'far'}\n")

    assert only(repository.remote(project.root)).says == f"there is nothing at {tmp_path / 'far'}"

    (tmp_path / "far").mkdir()
    assert only(repository.remote(project.root)).level == "ok"


def test_pre_commit_is_a_warning_until_it_is_installed(project: Project) -> None:
    assert only(repository.pre_commit(project.root)).level == "warn"
    hook = project.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec pre-commit run\n")

    assert only(repository.pre_commit(project.root)).level == "ok"


def test_warnings_alone_exit_with_zero_and_the_worst_failure_decides() -> None:
    warning = Finding(level="warn", what="a", says="b", remedy="c")
    failure = Finding(level="fail", what="a", says="b", remedy="c", code=8)

    assert doctor.Examined(places={"machine": [warning]}).code() == 0
    assert doctor.Examined(places={"machine": [warning, failure]}).code() == 8


def test_prints_json_for_machines(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    code = doctor.run(project.root, json=True)

    found = json.loads(capsys.readouterr().out)["places"]
    assert set(found) == {"machine", "repository", "forge", "platform"}
    assert code == max(line["code"] for place in found.values() for line in place)


def test_prints_a_line_per_finding_for_people(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    doctor.run(project.root, json=False)

    said = capsys.readouterr().out
    assert "dvc.lock" in said
    assert "pre-commit install" in said
