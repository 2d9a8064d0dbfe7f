"""The tracking server, or the database beside the project: where it is, asked without noise, never fatal."""

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MergelineError

SERVER = "MLFLOW_TRACKING_URI"
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def where(root: Path) -> str:
    """Name the place for people: without a password, the local database by its file name."""
    return DATABASE if uri(root) == local(root) else _without_password(uri(root))


def nowhere() -> str | None:
    """Say why nothing can be kept here, or None."""
    if os.environ.get("CI") and not os.environ.get(SERVER):
        return f"{SERVER} names no server, and a database on a runner vanishes with it"
    return None


def or_say(root: Path, call: Callable[[], str]) -> str:
    """Call; when the server fails in any way, give one line about that instead."""
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


def library(root: Path) -> Any:
    """Give the package `mlflow`, quiet and set to the place."""
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    import mlflow

    given = os.environ.get(SERVER)
    mlflow.set_tracking_uri(uri(root))
    if not given:
        os.environ.pop(SERVER, None)  # MLflow sets it for its children; here it would pass for the user's choice
    return mlflow


def client(root: Path) -> Any:
    """Give a client of the place."""
    return library(root).MlflowClient()


def uri(root: Path) -> str:
    """Give the place: what the user says, else the database beside the project."""
    return os.environ.get(SERVER) or local(root)


def local(root: Path) -> str:
    """Give the database beside the project."""
    return f"sqlite:///{root / DATABASE}"


def find(root: Path, name: str, bundle_id: str) -> str | None:
    """Give the run that holds this bundle in the experiment `name`, the first of several, or None."""
    mlflow = library(root)
    experiment = mlflow.get_experiment_by_name(name)
    if experiment is None:
        return None
    runs = client(root).search_runs(
        [experiment.experiment_id], f"tags.bundle_id = '{bundle_id}'", max_results=1, order_by=["start_time ASC"]
    )
    return runs[0].info.run_id if runs else None


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", text)
