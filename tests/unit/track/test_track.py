"""Each finished training is one run of MLflow; releases are versions; aliases follow the pins."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from typer.testing import CliRunner

from mergeline import bundle, cli, track
from mergeline.errors import Integrity, RepositoryTrouble
from mergeline.release import manifest
from tests.tooling import tracking
from tests.unit import bundles
from tests.unit.track.conftest import git

# MLflow and its database layer warn of themselves when the tests look into the store; the room's own silence is a test.
PASSWORD = "wrong-horse"  # noqa: S105 - of a server in this file
# Each test starts MLflow anew, in seconds.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def client(root: Path) -> Any:
    return mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


def run_id(root: Path) -> str:
    return str(json.loads((root / track.WRITTEN).read_text())["run_id"])


def release_of(root: Path) -> manifest.Release:
    identity = manifest.Identity(
        model=manifest.Model(
            name="flight-delays",
            bundle_id=bundle.identify(root / "bundle"),
            signature=bundle.sha256(root / "bundle/signature.json"),
        ),
        image=None,
        code=git(root, "rev-parse", "HEAD"),
        data=manifest.DataState(hash="0123456789abcdef0123456789abcdef", rows=53),
        params={},
        metrics={},
    )
    fields = {name: getattr(identity, name) for name in identity.__struct_fields__}
    return manifest.Release(id=manifest.identify(identity), created="2013-07-01T00:00:00Z", **fields)


def aliases(root: Path) -> dict[str, str]:
    models = client(root).search_registered_models("name = 'flight-delays'")
    return {alias: str(version) for model in models for alias, version in model.aliases.items()}


def test_a_run_holds_parameters_metrics_with_intervals_data_and_commit(root: Path) -> None:
    said = track.run(root)

    found = client(root).get_run(run_id(root))
    assert said.startswith("tracked: bundle ")
    assert found.data.params["model.learning_rate"] == "0.1"
    assert found.data.metrics["auc"] == 0.71
    assert (found.data.metrics["auc.low"], found.data.metrics["auc.high"]) == (0.69, 0.73)
    assert found.data.metrics["cost.seconds"] == 1.5
    assert found.data.tags["not_measured.recall"] == "no positive rows"
    assert found.data.tags["bundle_id"] == bundle.identify(root / "bundle")
    assert found.data.tags["git_commit"] == git(root, "rev-parse", "HEAD")
    assert found.data.tags["data_hash"] == "0123456789abcdef0123456789abcdef"
    assert found.data.tags["uncommitted"] == "no"
    assert found.info.status == "FINISHED"


def test_a_run_keeps_the_files_and_pictures_of_the_training(root: Path) -> None:
    (root / "report").mkdir()
    (root / "report/report.md").write_text("better\n")

    track.run(root)

    here = Path(
        mlflow.artifacts.download_artifacts(run_id=run_id(root), tracking_uri=f"sqlite:///{root / 'mlflow.db'}")
    )
    kept = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    assert {"params.yaml", "dvc.lock", "results/metrics.json", "report/report.md"} <= kept
    assert {"plots/metrics.png", "plots/slices/carrier.auc.png"} <= kept
    assert here.is_relative_to(root / "mlartifacts")


def test_a_second_call_finds_the_run(root: Path) -> None:
    track.run(root)
    first = run_id(root)

    said = track.run(root)

    assert said.startswith("already tracked")
    assert run_id(root) == first
    experiment = client(root).get_experiment_by_name("flight-delays")
    assert len(client(root).search_runs([experiment.experiment_id])) == 1


def test_another_bundle_is_another_run(root: Path) -> None:
    track.run(root)
    first = run_id(root)
    bundles.make(root / "bundle", seed=8)

    track.run(root)

    assert run_id(root) != first


def test_a_run_that_broke_off_is_not_taken_for_the_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: Any) -> None:
        raise ConnectionError("the server went away")

    with monkeypatch.context() as patch:
        patch.setattr(track, "log", break_off)
        said = track.run(root)
        assert "the server went away" in said
        assert not (root / track.WRITTEN).exists()

    assert track.run(root).startswith("tracked")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_model_answers_raw_columns_as_the_bundle_does(root: Path, task: Any) -> None:
    bundles.make(root / "bundle", task=task)
    track.run(root)
    mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id(root)}/model")

    answers = loaded.predict(pd.DataFrame(bundles.ROWS))

    smoke = json.loads((root / "bundle/smoke.json").read_text())["scores"]
    if task == "regression":
        assert answers["prediction"].tolist() == [score[0] for score in smoke]
    else:
        assert answers[["probability_in time", "probability_late"]].to_numpy().tolist() == smoke
        assert answers["prediction"].tolist() == ["late" if score[1] >= 0.5 else "in time" for score in smoke]


def test_the_model_takes_integers_and_times_with_and_without_zone(root: Path) -> None:
    track.run(root)
    mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id(root)}/model")
    rows = {"distance": [200, 1400], "carrier": ["UA", "B6"]}
    times = pd.to_datetime(["2013-06-03T05:15:00", "2013-06-03T23:00:00"])

    naive = loaded.predict(pd.DataFrame({**rows, "sched": times}))
    aware = loaded.predict(pd.DataFrame({**rows, "sched": times.tz_localize("UTC")}))

    pd.testing.assert_frame_equal(naive, aware)


def test_the_model_is_loadable_without_this_project(root: Path) -> None:
    track.run(root)
    script = (
        "import mlflow, pandas as pd, warnings; warnings.simplefilter('ignore')\n"
        f"mlflow.set_tracking_uri('sqlite:///{root / 'mlflow.db'}')\n"
        f"model = mlflow.pyfunc.load_model('runs:/{run_id(root)}/model')\n"
        "print(len(model.predict(pd.DataFrame({'distance': [1.5], 'carrier': ['UA'], 'sched': ['2013-06-03T05:15:00Z']}))))"
    )
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root.parent, env=env, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "1", done.stderr


def test_says_nothing_on_standard_error(root: Path) -> None:
    script = f"from pathlib import Path; from mergeline import track; print(track.run(Path({str(root)!r})))"
    env = {**os.environ, "PYTHONPATH": str(Path(track.__file__).parents[2])}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=env, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_refuses_when_nothing_is_trained(root: Path) -> None:
    (root / "results/metrics.json").unlink()

    with pytest.raises(RepositoryTrouble, match=r"metrics\.json is missing.*dvc repro"):
        track.run(root)


def test_refuses_a_bundle_that_was_changed(root: Path) -> None:
    (root / "bundle/features.py").write_text("def features(raw): return raw\n")

    with pytest.raises(Integrity, match=r"features\.py"):
        track.run(root)


def test_on_ci_without_a_server_nothing_is_tracked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track.run(root)
    monkeypatch.setenv("CI", "true")

    assert "MLFLOW_TRACKING_URI names no server" in track.run(root)
    assert not (root / track.WRITTEN).exists()


@pytest.fixture(params=[401, 403, 500, 503])
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that answers every request with one status."""

    class Refusal(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(request.param)

        do_POST = do_GET  # noqa: N815 (the name is the standard library's)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://someone:{PASSWORD}@127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_that_refuses_is_said_in_one_line(root: Path, monkeypatch: pytest.MonkeyPatch, refusing: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing)

    said = track.run(root)

    assert said.startswith("not tracked: http://127.0.0.1:")
    assert "\n" not in said
    assert PASSWORD not in said
    assert not (root / track.WRITTEN).exists()


def test_a_server_that_is_down_is_said_in_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    said = track.run(root)

    assert said.startswith("not tracked: http://127.0.0.1:9 ")
    assert "\n" not in said


def test_registering_gives_one_version_per_bundle(root: Path) -> None:
    track.run(root, register=True)
    track.run(root, register=True)
    assert json.loads((root / track.WRITTEN).read_text())["version"] == "1"

    bundles.make(root / "bundle", seed=8)
    track.run(root, register=True)

    assert json.loads((root / track.WRITTEN).read_text())["version"] == "2"


def test_a_release_is_a_version_that_names_it(root: Path) -> None:
    track.run(root)
    release = release_of(root)

    said = track.register(root, release)

    assert said == f"release {release.id[:12]} is version 1 of flight-delays"
    assert client(root).get_model_version("flight-delays", "1").tags["release"] == release.id


def test_aliases_follow_the_pins_and_move_back_with_them(root: Path) -> None:
    track.run(root)
    first = release_of(root)
    track.aliases(root, {"staging": first, "production": None})
    assert aliases(root) == {"staging": "1"}

    shutil.rmtree(root / "bundle")
    bundles.make(root / "bundle", seed=8)
    track.run(root)
    track.aliases(root, {"staging": release_of(root), "production": first})
    assert aliases(root) == {"staging": "2", "production": "1"}

    pinned = {"staging": None, "production": first}
    client(root).set_registered_model_alias("flight-delays", "production", "2")
    assert track.differing(root, pinned) == [
        "the alias staging of flight-delays is set, and nothing is pinned",
        "the alias production of flight-delays names version 2, not the release that is pinned",
    ]
    said = track.aliases(root, pinned)
    assert aliases(root) == {"production": "1"}
    assert track.differing(root, pinned) == []
    assert said.splitlines()[0] == "staging: nothing is pinned"


def test_aliases_name_a_release_that_was_never_tracked(root: Path) -> None:
    assert "was never tracked here" in track.aliases(root, {"staging": release_of(root)})


def test_the_command_sets_aliases_from_the_pins_and_refuses_one_that_was_edited(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root / "src").symlink_to(Path(track.__file__).parents[2])
    release = release_of(root)
    path = root / "infra/environments/staging/pin.json"
    path.parent.mkdir(parents=True)
    manifest.write(path, manifest.Pin(release=release))
    (root / "gates.yaml").write_text("primary: rmse\nmetrics: {rmse: {matters: 1}}\npromotion: {order: [staging]}\n")
    track.run(root)

    done = CliRunner().invoke(cli.app, ["track", "--aliases"])
    assert done.stdout == f"staging: version 1 of flight-delays, release {release.id[:12]}\n"

    path.write_text(path.read_text().replace('"rows": 53', '"rows": 54'))
    assert isinstance(CliRunner().invoke(cli.app, ["track", "--aliases"]).exception, Integrity)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with tracking.server(tmp_path) as url:
        yield url


def test_a_real_server_gets_run_model_version_and_alias(
    root: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)

    first = track.run(root, register=True)
    second = track.run(root, register=True)
    track.aliases(root, {"production": release_of(root)})

    assert first.startswith("tracked: ")
    assert second.startswith("already tracked: ")
    assert json.loads((root / track.WRITTEN).read_text())["version"] == "1"
    assert not (root / "mlflow.db").exists()
    loaded = mlflow.pyfunc.load_model("models:/flight-delays@production")
    smoke = json.loads((root / "bundle/smoke.json").read_text())["scores"]
    answered = loaded.predict(pd.DataFrame(bundles.ROWS))
    assert answered[["probability_in time", "probability_late"]].to_numpy().tolist() == smoke
