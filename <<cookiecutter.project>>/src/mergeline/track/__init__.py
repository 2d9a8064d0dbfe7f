"""What MLflow knows: one run per trained bundle, releases as model versions, aliases as the pins say.

Tracking looks at finished files and never decides anything: a training stands whether or not a server answers,
so whatever goes wrong on the way to MLflow is said in one line. `results/mlflow.json` is what a release reads.
"""

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..config import gates
from ..errors import MergelineError
from ..release.manifest import PIN, MlflowRun, Release, read_pin, read_release
from . import model, plots, results
from .results import Training

SERVER = "MLFLOW_TRACKING_URI"
WRITTEN = "results/mlflow.json"
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
ENVIRONMENTS = "infra/environments"
MOST_AT_ONCE = 100  # parameters that MLflow takes in one request
LONGEST = 5000  # characters of a tag or parameter

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def run(root: Path, *, register: bool = False) -> str:
    """Write the finished training below `root` to MLflow, once per bundle, and say where it is.

    Args:
        root: the project's folder.
        register: also make its model a version in the registry, for a release to name.

    Raises:
        RepositoryTrouble: nothing was trained yet.
        Integrity: the bundle does not match its hashes.
    """
    written = root / WRITTEN
    written.unlink(missing_ok=True)  # what it says is of an earlier bundle until MLflow answers
    training = results.read(root)
    if reason := _nowhere():
        return f"not tracked: {reason}"

    def write() -> str:
        run_id, new = _run_of(root, training)
        version = _version(root, training.name, run_id) if register else None
        written.write_bytes(msgspec.json.encode(MlflowRun(run_id=run_id, version=version)))
        said = f"{'tracked' if new else 'already tracked'}: bundle {training.bundle_id[:12]} is run {run_id}"
        return said + (f", version {version} of {training.name}" if version else "") + f" in {where(root)}"

    return _or_say(root, write)


def register(root: Path, release: Release) -> str:
    """Make the release's model a version in the registry, tagged with the release's id; idempotent."""
    return _or_say(root, lambda: _register(root, release)[1])


def aliases(root: Path) -> str:
    """Set each environment's alias to the version of the release that its pin names, and drop those of empty pins.

    The pins decide: an alias that somebody moved by hand is moved back. Releases that are not registered yet
    (those of the pins, and `release.json` of this working copy) are registered first.
    """
    if reason := _nowhere():
        return f"no aliases set: {reason}"
    pins = {path.parent.name: read_pin(path) for path in sorted((root / ENVIRONMENTS).glob(f"*/{PIN}"))}
    built = root / "release.json"
    release = read_release(built) if built.is_file() else None
    order = gates(root).promotion.order

    def set_all() -> str:
        said = [_register(root, release)[1]] if release else []
        pinned = {name: pin.release for name, pin in pins.items() if name in order}
        models = sorted({r.model.name for r in (*pinned.values(), release) if r})
        said += [_point(root, name, found) if found else _drop(root, name, models) for name, found in pinned.items()]
        return "\n".join(said)

    return _or_say(root, set_all)


def where(root: Path) -> str:
    """Name the place for people: without a password, the local database by its file name."""
    uri = _uri(root)
    return DATABASE if uri == _local(root) else _without_password(uri)


def _point(root: Path, environment: str, release: Release) -> str:
    version, said = _register(root, release)
    if version is None:
        return f"{environment}: {said}"
    if _aliases(root, release.model.name).get(environment) != version:
        _client(root).set_registered_model_alias(release.model.name, environment, version)
    return f"{environment}: version {version} of {release.model.name}, release {release.id[:12]}"


def _drop(root: Path, environment: str, models: list[str]) -> str:
    for name in models:
        if environment in _aliases(root, name):
            _client(root).delete_registered_model_alias(name, environment)
    return f"{environment}: nothing is pinned"


def _aliases(root: Path, name: str) -> dict[str, str]:
    found = _client(root).search_registered_models(f"name = '{name}'")
    return {alias: str(version) for one in found for alias, version in one.aliases.items()}


def _register(root: Path, release: Release) -> tuple[str | None, str]:
    """Give the version and a sentence; no version where the bundle's training was never tracked."""
    name, bundle = release.model.name, release.model.bundle_id
    run_id = _find(root, name, bundle)
    if run_id is None:
        return None, (
            f"bundle {bundle[:12]} of release {release.id[:12]} was never tracked here: "
            f"`model restore --release {release.id[:12]}`, then `model track`"
        )
    version = _version(root, name, run_id)
    _client(root).set_model_version_tag(name, version, "release", release.id)
    return version, f"release {release.id[:12]} is version {version} of {name}"


def _version(root: Path, name: str, run_id: str) -> str:
    from mlflow.exceptions import MlflowException

    client = _client(root)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = [v for v in client.search_model_versions(f"name = '{name}'") if v.run_id == run_id]
    if found:
        return str(min(int(v.version) for v in found))
    mlflow = _mlflow(root)
    return str(mlflow.register_model(f"runs:/{run_id}/model", name).version)


def _run_of(root: Path, training: Training) -> tuple[str, bool]:
    """Give the bundle's run, and whether this call wrote it."""
    if found := _find(root, training.name, training.bundle_id):
        return found, False
    mlflow = _mlflow(root)
    experiment = mlflow.get_experiment_by_name(training.name)
    if experiment is None:
        local = {"artifact_location": (root / ARTIFACTS).as_uri()} if _uri(root) == _local(root) else {}
        mlflow.create_experiment(training.name, **local)
    mlflow.set_experiment(training.name)
    with mlflow.start_run(run_name=training.bundle_id[:12]):
        pairs = [(key, value[:LONGEST]) for key, value in training.params.items()]
        for start in range(0, len(pairs), MOST_AT_ONCE):
            mlflow.log_params(dict(pairs[start : start + MOST_AT_ONCE]))
        mlflow.log_metrics(training.metrics)
        for file in training.files:
            inside = file.relative_to(root).parent
            mlflow.log_artifact(str(file), None if inside == Path() else inside.as_posix())
        for name, figure in plots.figures(root):
            mlflow.log_figure(figure, f"plots/{name}.png")
        model.log(mlflow, root / "bundle")
        mlflow.set_tags({key: value[:LONGEST] for key, value in training.tags.items()})
        # Last, so that only a whole run is ever found by it.
        mlflow.set_tag("bundle_id", training.bundle_id)
    found = _find(root, training.name, training.bundle_id)  # of two at once, both name the first
    return found or mlflow.last_active_run().info.run_id, True


def _find(root: Path, name: str, bundle_id: str) -> str | None:
    mlflow = _mlflow(root)
    experiment = mlflow.get_experiment_by_name(name)
    if experiment is None:
        return None
    runs = _client(root).search_runs(
        [experiment.experiment_id], f"tags.bundle_id = '{bundle_id}'", max_results=1, order_by=["start_time ASC"]
    )
    return runs[0].info.run_id if runs else None


def _nowhere() -> str | None:
    if os.environ.get("CI") and not os.environ.get(SERVER):
        return f"{SERVER} names no server, and a database on a runner vanishes with it"
    return None


def _or_say(root: Path, call: Callable[[], str]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MLflow and its database layer: nothing a person here can mend
            return call()
    except MergelineError:
        raise
    except Exception as error:  # a server may fail in any way: none of them may fail a training
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = _without_password(lines[0] if lines else type(error).__name__)
        return f"not tracked: {where(root)} does not take it ({reason:.200}); run `model track` again when it does"


def _mlflow(root: Path) -> Any:
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    import mlflow

    given = os.environ.get(SERVER)
    mlflow.set_tracking_uri(_uri(root))
    if given is None:
        os.environ.pop(SERVER, None)  # MLflow sets it for its children; here it would pass for the user's choice
    return mlflow


def _client(root: Path) -> Any:
    return _mlflow(root).MlflowClient()


def _uri(root: Path) -> str:
    return os.environ.get(SERVER) or _local(root)


def _local(root: Path) -> str:
    return f"sqlite:///{root / DATABASE}"


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", text)
