"""Where bundles come from, at the start and when what is wanted changes."""

import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.errors import BadSettings, Integrity
from mergeline.serve import metrics, worker
from mergeline.serve.app import Application
from mergeline.serve.experiment import reload
from mergeline.serve.experiment.fetch import fetch
from mergeline.serve.experiment.reload import Reloader, Source
from mergeline.serve.settings import Settings
from tests.tools import until
from tests.unit.serve.experiment.conftest import said


def source(folder: Path, store: Path | str, **environ: str) -> Source:
    return Source(folder, None, "r1", {"MERGELINE_BUNDLES": str(store), **environ}, worker.prepare)


def pin(path: Path, bundle_id: str, release: str, experiment: dict[str, Any] | None = None) -> None:
    """Write a pin as a program does that replaces a file."""
    made = {"release": {"id": release, "model": {"bundle_id": bundle_id}}, "experiment": experiment}
    path.with_suffix(".new").write_bytes(msgspec.json.encode(made))
    path.with_suffix(".new").replace(path)


def test_the_environments_experiment_is_loaded_by_its_hash(folder: Path, store: Path, other: Bundle) -> None:
    given = msgspec.json.encode(said(other.id)).decode()

    arms = source(folder, store, MERGELINE_EXPERIMENT=given).arms()

    assert arms.beside is not None
    assert arms.beside.bundle.id == other.id


@pytest.mark.parametrize("given", ["{", '{"kind": "ab"}', "absent", "damaged", "nowhere", "unknown limit"])
def test_an_experiment_that_cannot_be_had_leaves_the_pinned_release_alone_and_says_so(
    folder: Path, store: Path, other: Bundle, tmp_path: Path, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "bundles"
    shutil.copytree(store, place)
    if given == "damaged":
        model = place / other.id / bundles.MODEL
        model.write_bytes(model.read_bytes()[:-1] + b"x")
    wanted = said("f" * 64 if given == "absent" else other.id, limits={"speed": 1} if given == "unknown limit" else {})
    text = given if given.startswith("{") else msgspec.json.encode(wanted).decode()

    arms = source(folder, "" if given == "nowhere" else place, MERGELINE_EXPERIMENT=text).arms()

    assert arms.beside is None
    assert arms.counts() == {"unavailable": 1}
    app = Application(arms)
    assert b'mergeline_experiment{count="unavailable"' in metrics.text([app.metrics], arms.counts())
    assert "no experiment: the pinned release serves alone" in caplog.text


@mock_aws  # type: ignore[untyped-decorator] # moto is not read
def test_a_bundle_comes_from_s3_and_is_verified(store: Path, other: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    for file in (bundles.INDEX, *bundles.FILES):
        client.upload_file(str(store / other.id / file), "models", f"flights/bundles/{other.id}/{file}")

    assert fetch("s3://models/flights/bundles/", other.id, worker.prepare).id == other.id
    with pytest.raises(Integrity, match="gave no bundle ffff"):
        fetch("s3://models/flights/bundles", "f" * 64, worker.prepare)
    client.put_object(Bucket="models", Key=f"flights/bundles/{other.id}/{bundles.MODEL}", Body=b"foreign")
    with pytest.raises(Integrity, match="sha256"):
        fetch("s3://models/flights/bundles", other.id, worker.prepare)


def test_s3_without_its_client_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(BadSettings, match="boto3 is not installed here"):
        fetch("s3://models/bundles", "f" * 64, worker.prepare)


def test_a_changed_pin_is_loaded_and_a_bad_one_refused(
    folder: Path, bundle: Bundle, store: Path, other: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK_SECONDS", 0.02)
    at = tmp_path / "pin.json"
    pin(at, bundle.id, "r1")
    wanted = source(folder, store, MERGELINE_PIN=str(at))
    app = worker.application(wanted, Settings())
    reloader = Reloader(wanted, app.use)
    try:
        pin(at, other.id, "r2")
        until(lambda: app.bundle.id == other.id)
        pin(at, "f" * 64, "r3")
        until(lambda: reloader.refused == 1)
        assert app.bundle.id == other.id
        at.write_text("{}")
        until(lambda: reloader.refused == 2)
        pin(at, bundle.id, "r1", said(other.id))
        until(lambda: app.bundle.id == bundle.id)
        assert reloader.done == 2
    finally:
        reloader.close()
        app.close()


def test_a_ring_loads_again_what_was_not_there_before(folder: Path, store: Path, other: Bundle, tmp_path: Path) -> None:
    given = msgspec.json.encode(said(other.id)).decode()
    late = tmp_path / "late"
    wanted = source(folder, late, MERGELINE_EXPERIMENT=given)
    loaded = [wanted.arms()]
    reloader = Reloader(wanted, loaded.append)
    try:
        shutil.copytree(store, late)
        reloader.ring()
        until(lambda: len(loaded) == 2)
    finally:
        reloader.close()
    assert [arms.beside is None for arms in loaded] == [True, False]
