import json
from pathlib import Path

import pytest

from mergeline import bundle, store
from mergeline.errors import Integrity, RepositoryTrouble
from mergeline.release import build, manifest, promotion
from tests.unit.project import Project

pytestmark = pytest.mark.slow


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def report(project: Project, bundle_id: str) -> None:
    (project.root / "report").mkdir(exist_ok=True)
    found = {
        "schema": 1,
        "word": "better",
        "primary": "roc_auc",
        "candidate": {"bundle": bundle_id},
        "base": {"bundle": "b" * 64},
        "metrics": [{"name": "roc_auc", "difference": {"value": 0.03, "interval": [0.01, 0.05]}}],
    }
    (project.root / "report/report.json").write_text(json.dumps(found))


def test_a_release_names_bundle_code_data_and_metrics(project: Project) -> None:
    release = build.run(project.root, image=None).release

    assert release.model.bundle_id == bundle.identify(project.root / "bundle")
    assert release.code == project.git("rev-parse", "HEAD")
    assert release.data.rows == 12
    assert release.metrics["roc_auc"].value == pytest.approx(0.71)
    assert manifest.read_release(project.root / "release.json") == release


def test_the_same_inputs_have_the_same_id_whenever_they_are_built(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build.run(project.root, image=None).release
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    second = build.run(project.root, image=None).release

    assert first.id == second.id
    assert first.created != second.created


def test_another_model_has_another_id(project: Project) -> None:
    first = build.run(project.root, image=None).release
    project.train(2)

    assert build.run(project.root, image=None).release.id != first.id


def test_takes_the_verdict_of_the_report_about_this_bundle(project: Project) -> None:
    report(project, bundle.identify(project.root / "bundle"))

    verdict = build.run(project.root, image=None).release.verdict

    assert verdict == manifest.Verdict(
        word="better", metric="roc_auc", difference=0.03, interval=(0.01, 0.05), against="b" * 64
    )


def test_leaves_the_verdict_of_another_bundle_aside(project: Project) -> None:
    report(project, "c" * 64)

    assert build.run(project.root, image=None).release.verdict is None


def test_says_when_bundle_and_image_run_already(project: Project) -> None:
    first = build.run(project.root, image=None)
    promotion.promote(project.root, "staging", release=None, pull_request=False)
    project.commit("Change a page of the docs")

    again = build.run(project.root, image=None)

    assert first.new
    assert not again.new
    assert again.release == first.release


def test_refuses_uncommitted_changes_for_a_release_names_its_commit(project: Project) -> None:
    (project.root / "params.yaml").write_text('python: "3.11"\ntask: regression\n')

    with pytest.raises(RepositoryTrouble, match=r"params\.yaml has changes"):
        build.run(project.root, image=None)


@pytest.mark.parametrize("file", [*bundle.FILES, bundle.INDEX])
def test_refuses_a_bundle_with_a_flipped_byte(project: Project, file: str) -> None:
    flip(project.root / "bundle" / file)

    with pytest.raises(Integrity):
        build.run(project.root, image=None)
    assert not (project.root / "release.json").exists()


def test_refuses_a_sound_bundle_that_the_lock_does_not_name(project: Project) -> None:
    signature = project.root / "bundle" / bundle.SIGNATURE
    signature.write_bytes(signature.read_bytes() + b"\n")
    bundle.seal(project.root / "bundle")

    with pytest.raises(Integrity, match=r"dvc\.lock names bundle"):
        build.run(project.root, image=None)


def test_refuses_an_image_named_by_a_tag(project: Project) -> None:
    with pytest.raises(Integrity, match="tag"):
        build.run(project.root, image="registry.example/flight-delays:latest")


def test_verifies_a_release_and_its_bundle(project: Project) -> None:
    build.run(project.root, image=None)

    assert "match" in build.verify(project.root, project.root / "release.json")


def test_verification_refuses_a_changed_metric(project: Project) -> None:
    build.run(project.root, image=None)
    path = project.root / "release.json"
    path.write_text(path.read_text().replace("0.71", "0.91"))

    with pytest.raises(Integrity, match="the content has id"):
        build.verify(project.root, path)


def test_verification_refuses_a_lock_of_another_bundle(project: Project) -> None:
    build.run(project.root, image=None)
    project.train(2)

    with pytest.raises(Integrity, match="name different bundles"):
        build.verify(project.root, project.root / "release.json")


def test_the_store_replaces_a_damaged_copy_and_never_gives_one(project: Project) -> None:
    release = build.run(project.root, image=None).release
    stored = store.fetch(release.model.bundle_id, project.root)
    flip(stored / bundle.MODEL)
    project.train(2)

    with pytest.raises(Integrity, match="neither in the store"):
        store.fetch(release.model.bundle_id, project.root)

    project.train(1)
    assert bundle.identify(store.fetch(release.model.bundle_id, project.root)) == release.model.bundle_id


def test_the_remote_gives_a_bundle_that_this_machine_lacks(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = project.root / ".dvc/config"
    config.write_text(f"{config.read_text()}    remote = far\n['remote \"far\"']\n    url = {tmp_path / 'far'}\n")
    project.commit("Configure a remote")
    built = build.run(project.root, image=None)
    monkeypatch.setenv("MERGELINE_STATE", str(tmp_path / "another-machine"))
    project.train(2)

    found = store.fetch(built.release.model.bundle_id, project.root)

    assert built.kept == ["the local store", "the DVC remote"]
    assert bundle.identify(found) == built.release.model.bundle_id
