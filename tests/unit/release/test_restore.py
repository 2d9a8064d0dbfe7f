"""Known states on one machine: the base, a release, and what is said when an object is nowhere."""

import shutil
from pathlib import Path

import pytest

from mergeline import bundle
from mergeline.errors import RepositoryTrouble, Usage
from mergeline.release import build, promotion, restore
from tests.unit.project import Project


def released(project: Project) -> str:
    """Release what is trained here; give its bundle's id."""
    made = build.run(project.root, image=None).release
    promotion.promote(project.root, "staging", release=made.id, pull_request=False)
    return made.model.bundle_id


def run(project: Project, *, base: bool = False, release: str | None = None) -> str:
    return restore.run(project.root, base=base, pr=None, merged=False, release=release)


def test_the_base_is_what_the_lock_on_main_names(project: Project) -> None:
    first = released(project)
    project.git("checkout", "--quiet", "-b", "feature")
    project.train(2)

    run(project, base=True)

    assert bundle.identify(project.root / "bundle") == first
    assert project.git("status", "--porcelain") == ""


def test_an_earlier_release_comes_back_with_the_lock_that_it_was_made_of(project: Project) -> None:
    first = released(project)
    lock = (project.root / "dvc.lock").read_bytes()
    start = str(project.pinned("staging"))[:12]
    project.train(2)
    released(project)

    run(project, release=start)

    assert bundle.identify(project.root / "bundle") == first
    assert (project.root / "dvc.lock").read_bytes() == lock


def test_an_object_that_is_nowhere_is_named_and_the_lock_stays(project: Project) -> None:
    released(project)
    project.train(2)
    lock = (project.root / "dvc.lock").read_bytes()
    shutil.rmtree(project.root / ".dvc/cache")

    with pytest.raises(RepositoryTrouble, match="bundle: neither the cache nor a remote"):
        run(project, base=True)
    assert (project.root / "dvc.lock").read_bytes() == lock


def test_a_main_without_a_lock_says_that_the_first_release_writes_it(project: Project) -> None:
    with pytest.raises(RepositoryTrouble, match=r"has no dvc\.lock"):
        run(project, base=True)


def test_packing_leaves_raw_rows_out_and_never_overwrites(project: Project, tmp_path: Path) -> None:
    restore.keep(project.root, tmp_path / "handover")
    raw = (project.root / "data/raw.parquet").read_bytes()

    assert not any(path.read_bytes() == raw for path in (tmp_path / "handover").rglob("*") if path.is_file())
    with pytest.raises(Usage, match="is there already"):
        restore.keep(project.root, tmp_path / "handover")
