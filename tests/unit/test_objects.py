"""A pipeline of two stages, run by the real DVC."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mergeline import objects
from mergeline.errors import BadData, Integrity, RepositoryTrouble

pytestmark = pytest.mark.slow

PIPELINE = """
stages:
  ingest:
    cmd: cp rows.csv data/raw.csv
    deps: [rows.csv]
    outs: [data/raw.csv]
  train:
    cmd: mkdir -p bundle && cat data/raw.csv rate.txt > bundle/model && cp rate.txt cost.txt
    deps: [data/raw.csv, rate.txt]
    outs: [bundle]
    metrics:
      - cost.txt:
          cache: false
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fresh") / "project"
    (root / "data").mkdir(parents=True)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "rows.csv").write_text("a,b\n1,2\n")
    (root / "rate.txt").write_text("1")
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, check=True)
    with (root / ".dvc/config").open("a") as file:
        file.write("[core]\n    analytics = false\n")
    return root


@pytest.fixture(scope="module")
def trained(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(fresh, tmp_path_factory.mktemp("trained") / "project"))
    assert objects.repro(root) == ["ingest", "train"]
    return root


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "project"))


@pytest.fixture
def elsewhere(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "deeper/elsewhere"))


def test_runs_what_moved_and_names_it(project: Path) -> None:
    assert objects.repro(project) == []

    (project / "rate.txt").write_text("2")

    assert objects.repro(project) == ["train"]


def test_a_failing_dvc_is_named_in_one_line(project: Path) -> None:
    (project / "rate.txt").unlink()

    with pytest.raises(RepositoryTrouble, match=r"`dvc repro` failed: .*train.*"):
        objects.repro(project)


@pytest.mark.parametrize("red", ["error", "\\033[1;31merror\\033[0m"])
def test_a_failing_stage_is_raised_as_it_said_it_with_its_code_and_not_passed_on(project: Path, red: str) -> None:
    (project / "stage.sh").write_text(f"printf 'before\\n{red} data/raw.csv: no rows. Mend it.\\n'\nexit 5\n")
    (project / "dvc.yaml").write_text(PIPELINE.replace("cp rows.csv data/raw.csv", "sh stage.sh"))
    told: list[str] = []

    with pytest.raises(BadData) as failed:
        objects.repro(project, say=told.append)

    assert str(failed.value) == "data/raw.csv: no rows. Mend it."
    assert "before" in told
    assert not [line for line in told if "no rows" in line or "ERROR" in line]


def test_handed_over_results_need_no_training_and_no_raw_data(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    packed = objects.pack(project, tmp_path / "handover")

    restored = objects.unpack(elsewhere, tmp_path / "handover")

    assert packed == restored == ["bundle", "cost.txt"]
    assert (elsewhere / "bundle/model").read_bytes() == (project / "bundle/model").read_bytes()
    assert not (elsewhere / "data/raw.csv").exists()
    assert objects.repro(elsewhere, allow_missing=True) == []


def test_raw_rows_of_another_state_are_no_reason_to_train(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    objects.pack(project, tmp_path / "handover")
    (elsewhere / "data").mkdir(exist_ok=True)
    (elsewhere / "data/raw.csv").write_text("of the base\n")

    objects.unpack(elsewhere, tmp_path / "handover")

    assert objects.repro(elsewhere, allow_missing=True, dry=True) == []
    assert not (elsewhere / "data/raw.csv").exists()


def test_raw_rows_that_are_the_right_ones_stay_and_those_in_the_cache_come_back(
    project: Path, tmp_path: Path, elsewhere: Path
) -> None:
    objects.pack(project, tmp_path / "handover")
    (project / "data/raw.csv").chmod(0o644)
    (project / "data/raw.csv").write_text("of the base\n")
    (elsewhere / "data").mkdir(exist_ok=True)
    shutil.copyfile(project / "rows.csv", elsewhere / "data/raw.csv")

    for root in (project, elsewhere):
        objects.unpack(root, tmp_path / "handover")

    assert [(root / "data/raw.csv").read_text() for root in (project, elsewhere)] == ["a,b\n1,2\n"] * 2


def test_results_handed_over_to_other_inputs_are_made_again(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    objects.pack(project, tmp_path / "handover")
    (elsewhere / "rate.txt").write_text("2")
    objects.unpack(elsewhere, tmp_path / "handover")

    assert objects.repro(elsewhere) == ["ingest", "train"]


def test_a_flipped_byte_is_refused_and_nothing_is_changed(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    objects.pack(project, tmp_path / "handover")
    victim = next(p for p in (tmp_path / "handover/files").rglob("*") if p.is_file() and b"a,b" in p.read_bytes())
    victim.write_bytes(victim.read_bytes().replace(b"1,2", b"1,3"))

    with pytest.raises(Integrity, match="has the md5"):
        objects.unpack(elsewhere, tmp_path / "handover")

    assert not (elsewhere / "dvc.lock").exists()
    assert not (elsewhere / "bundle").exists()


def test_a_missing_object_is_said(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    objects.pack(project, tmp_path / "handover")
    for victim in (tmp_path / "handover/files").rglob("*.dir"):
        victim.unlink()

    with pytest.raises(RepositoryTrouble, match="lacks bundle"):
        objects.unpack(elsewhere, tmp_path / "handover")


@pytest.mark.parametrize("leading_out", ["src/mergeline/cli.py", "../elsewhere.txt", "/nowhere/elsewhere.txt"])
def test_a_lock_writes_only_what_the_pipeline_declares(
    project: Path, tmp_path: Path, leading_out: str, elsewhere: Path
) -> None:
    objects.pack(project, tmp_path / "handover")
    lock = tmp_path / "handover/dvc.lock"
    lock.write_text(lock.read_text().replace("path: cost.txt", f"path: {leading_out}"))

    assert objects.unpack(elsewhere, tmp_path / "handover") == ["bundle"]
    assert not (elsewhere / leading_out).exists()


def test_a_folder_that_lists_a_file_outside_of_it_is_refused(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    objects.pack(project, tmp_path / "handover")
    old = next((tmp_path / "handover/files").rglob("*.dir"))
    content = old.read_bytes().replace(b'"model"', b'"../../model"')
    name = hashlib.md5(content, usedforsecurity=False).hexdigest()
    new = tmp_path / f"handover/files/md5/{name[:2]}/{name[2:]}.dir"
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_bytes(content)
    lock = tmp_path / "handover/dvc.lock"
    lock.write_text(lock.read_text().replace(f"{old.parent.name}{old.name}", f"{name}.dir"))

    with pytest.raises(Integrity, match="leads out of it"):
        objects.unpack(elsewhere, tmp_path / "handover")


def test_another_checkout_shares_the_cache_and_leaves_no_trace(project: Path, elsewhere: Path) -> None:
    (elsewhere / "dvc.lock").write_bytes((project / "dvc.lock").read_bytes())

    objects.prepare(elsewhere, project)

    assert objects.cache(elsewhere) == objects.cache(project)
    assert objects.place(elsewhere) == {}
    assert (elsewhere / "bundle/model").is_file()
    assert (elsewhere / "data/raw.csv").is_file()


def test_a_remote_beside_is_found_from_another_checkout(project: Path, tmp_path: Path, elsewhere: Path) -> None:
    command = [sys.executable, "-m", "dvc", "remote", "add", "--local", "-d", "store", str(tmp_path / "store")]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "dvc", "push", "-q"], cwd=project, check=True)
    (elsewhere / "dvc.lock").write_bytes((project / "dvc.lock").read_bytes())

    objects.prepare(elsewhere, project)
    for victim in (objects.cache(project) / "files").rglob("*.dir"):
        victim.unlink()
    subprocess.run([sys.executable, "-m", "dvc", "pull", "-q", "bundle"], cwd=elsewhere, check=True)

    assert objects.has_remote(elsewhere)
    assert (elsewhere / "bundle/model").is_file()


@pytest.mark.parametrize("suffix", ["", ".dir"])
def test_a_damaged_object_counts_as_absent_and_is_removed(project: Path, suffix: str) -> None:
    before = (project / "bundle/model").read_bytes()
    damaged = [p for p in (objects.cache(project) / "files").rglob("*") if p.is_file() and p.suffix == suffix]
    for victim in damaged:
        victim.chmod(0o644)
        victim.write_bytes(b"broken")

    missing = objects.place(project, ["bundle"])

    assert missing == {"bundle": True}
    assert objects.place(project, ["bundle"]) == {"bundle": False}
    assert (project / "bundle/model").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- 1\n", "not a lock of DVC"),
        ("stages: {train: [1]}\n", "not a lock of DVC"),
        ("stages: {train: {outs: [{md5: 1}]}}\n", "not a lock of DVC: .*`path`"),
        ("{{{", "not valid YAML"),
    ],
)
def test_a_lock_that_is_no_lock_is_said(project: Path, content: str, said: str) -> None:
    (project / "dvc.lock").write_text(content)

    with pytest.raises(Integrity, match=rf"dvc\.lock: {said}"):
        objects.repro(project)


def test_a_configuration_of_dvc_that_cannot_be_read_is_said(project: Path) -> None:
    (project / ".dvc/config").write_text("remote\n")

    with pytest.raises(RepositoryTrouble, match=r"\.dvc/config cannot be read: File contains no section headers"):
        objects.place(project)
