"""What MLflow knows: one run per trained bundle, releases as model versions, aliases as the pins say.

Tracking looks at finished files and never decides anything: a training stands whether or not a server answers,
so whatever goes wrong on the way to MLflow is said in one line. `results/mlflow.json` is what a release reads.
"""

from pathlib import Path

import msgspec

from .model import log
from .registry import aliases, differing, register, version_of
from .results import Training, read
from .server import ARTIFACTS, find, library, local, nowhere, or_say, uri, where

__all__ = ["aliases", "differing", "register", "run"]

WRITTEN = "results/mlflow.json"
MOST_AT_ONCE = 100  # parameters that MLflow takes in one request
LONGEST = 5000  # characters of a tag or parameter


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
    training = read(root)
    if reason := nowhere():
        return f"not tracked: {reason}"

    def write() -> str:
        run_id, new = _run_of(root, training)
        version = version_of(root, training.name, run_id) if register else None
        known = {"bundle_id": training.bundle_id, "run_id": run_id, "version": version}
        written.write_bytes(msgspec.json.encode(known))
        said = f"{'tracked' if new else 'already tracked'}: bundle {training.bundle_id[:12]} is run {run_id}"
        return said + (f", version {version} of {training.name}" if version else "") + f" in {where(root)}"

    return or_say(root, write)


def _run_of(root: Path, training: Training) -> tuple[str, bool]:
    """Give the bundle's run, and whether this call wrote it."""
    if found := find(root, training.name, training.bundle_id):
        return found, False
    from .plots import figures  # matplotlib, which takes a second: only for a run that is new

    mlflow = library(root)
    experiment = mlflow.get_experiment_by_name(training.name)
    if experiment is None:
        beside = (root / ARTIFACTS).as_uri() if uri(root) == local(root) else None  # a server decides itself
        mlflow.create_experiment(training.name, artifact_location=beside)
    mlflow.set_experiment(training.name)
    with mlflow.start_run(run_name=training.bundle_id[:12]):
        pairs = [(key, value[:LONGEST]) for key, value in training.params.items()]
        for start in range(0, len(pairs), MOST_AT_ONCE):
            mlflow.log_params(dict(pairs[start : start + MOST_AT_ONCE]))
        mlflow.log_metrics(training.metrics)
        for file in training.files:
            inside = file.relative_to(root).parent
            mlflow.log_artifact(str(file), None if inside == Path() else inside.as_posix())
        for name, figure in figures(root):
            mlflow.log_figure(figure, f"plots/{name}.png")
        log(mlflow, root / "bundle")
        mlflow.set_tags({key: value[:LONGEST] for key, value in training.tags.items()})
        # Last, so that only a whole run is ever found by it.
        mlflow.set_tag("bundle_id", training.bundle_id)
    found = find(root, training.name, training.bundle_id)  # of two at once, both name the first
    return found or mlflow.last_active_run().info.run_id, True
