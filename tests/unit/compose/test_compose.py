"""The platform without a cloud: started by its one command on a real engine, and used by a project."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest

from mergeline import track
from mergeline.release import build
from tests.tooling import compose
from tests.tooling.docker import Docker, Unavailable
from tests.tools import without
from tests.unit.docker_target.staging import docker
from tests.unit.project import NAME, Project
from tools.need import Missing
from tools.ports import free_port

__all__ = ["docker"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
INFRA = Path(__file__).resolve().parents[3] / "infra"
SERVICES = ("mlflow", "registry", "store")


@dataclass(frozen=True)
class Platform:
    """One that runs: its folder, its environment, and its ports by service."""

    folder: Path
    env: dict[str, str]
    ports: dict[str, int]

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def up(self) -> str:
        done = subprocess.run([self.folder / "up"], env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def secret(self, name: str) -> str:
        lines = (self.folder / ".env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))


@pytest.fixture(scope="module")
def platform(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One on free ports; nothing of it is left."""
    try:
        found = compose.settings(docker, tmp_path_factory.mktemp("tools"))
    except (Unavailable, Missing) as reason:
        without(str(reason))
    scratch = tmp_path_factory.mktemp("platform")
    for name in ("compose", "mlflow"):
        shutil.copytree(INFRA / name, scratch / name, ignore=shutil.ignore_patterns(".env"))
    ports = {service: free_port() for service in SERVICES}
    own = {f"{service.upper()}_PORT": str(port) for service, port in ports.items()}
    one = Platform(scratch / "compose", {**os.environ, **found, **own}, ports)
    try:
        one.up()
        yield one
    finally:
        one.compose("down", "--volumes", "--rmi", "local")
    label = "label=com.docker.compose.project=mergeline"
    assert docker.say("container", "ls", "--all", "--quiet", "--filter", label) == ""
    assert docker.say("volume", "ls", "--quiet", "--filter", label) == ""


@pytest.fixture
def project(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that is told of the platform as infra/compose/README.md says."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # MLflow adds the folder of every model that it loads
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://localhost:{platform.ports['mlflow']}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", platform.secret("STORE_KEY"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", platform.secret("STORE_SECRET"))
    made = Project.make(tmp_path / NAME)
    for command in (
        ("remote", "add", "--default", "storage", f"s3://dvc/{NAME}"),
        ("remote", "modify", "storage", "endpointurl", f"http://localhost:{platform.ports['store']}"),
    ):
        dvc(made.root, *command)
    made.commit("Keep data in the store of the platform")
    return made


def dvc(root: Path, *arguments: str) -> str:
    done = subprocess.run(["dvc", *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rows_that_are_pushed_to_the_store_come_back_in_another_clone(project: Project) -> None:
    rows = project.root / "rows.csv"
    rows.write_text("a,b\n1,2\n")
    dvc(project.root, "add", "rows.csv")
    dvc(project.root, "push", "rows.csv.dvc")
    shutil.rmtree(project.root / ".dvc/cache")
    rows.unlink()

    dvc(project.root, "pull", "rows.csv.dvc")

    assert rows.read_text() == "a,b\n1,2\n"


def test_a_training_is_tracked_with_its_files_and_outlives_a_restart(platform: Platform, project: Project) -> None:
    said = track.run(project.root, register=True)
    assert said.startswith("tracked: bundle "), said
    run_id = json.loads((project.root / track.WRITTEN).read_text())["run_id"]

    platform.compose("down")
    platform.up()

    found = mlflow.MlflowClient().get_run(run_id)
    assert found.data.metrics["roc_auc"] == 0.71
    assert found.info.artifact_uri.startswith("mlflow-artifacts:")
    kept = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="results"))
    assert (kept / "metrics.json").read_bytes() == (project.root / "results/metrics.json").read_bytes()
    assert mlflow.MlflowClient().get_model_version(NAME, "1").run_id == run_id


def test_a_release_names_the_image_by_the_digest_that_the_registry_gives(
    platform: Platform, project: Project, docker: Docker
) -> None:
    name = f"localhost:{platform.ports['registry']}/{NAME}"
    docker.say("tag", platform.env["PYTHON_IMAGE"], name)
    docker.run("push", "--quiet", name)
    image = docker.say("image", "inspect", "--format", "{{index .RepoDigests 0}}", name)
    docker.run("image", "rm", name)

    release = build.run(project.root, image=image).release

    assert release.image == image
    assert image.startswith(f"{name}@sha256:")
    docker.run("pull", "--quiet", image)
    docker.run("image", "rm", image)


def test_only_this_machine_reaches_it_and_only_with_its_keys(platform: Platform, docker: Docker) -> None:
    published = platform.compose("ps", "--format", "{{.Ports}}")
    assert "0.0.0.0" not in published  # noqa: S104 - nothing is bound to it
    assert "5432->" not in published
    assert (platform.folder / ".env").stat().st_mode & 0o077 == 0
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{platform.ports['store']}/dvc", timeout=10)
    assert refused.value.code == 403
    refused.value.close()
    users = [docker.say("exec", one, "id", "--user") for one in platform.compose("ps", "--quiet", "mlflow").split()]
    assert users == ["10001"]


def test_a_second_start_changes_nothing(platform: Platform) -> None:
    before = platform.compose("ps", "--quiet"), (platform.folder / ".env").read_text()

    platform.up()

    assert (platform.compose("ps", "--quiet"), (platform.folder / ".env").read_text()) == before


def test_the_file_has_the_form_that_compose_describes() -> None:
    done = subprocess.run(
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", INFRA / "compose/compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
