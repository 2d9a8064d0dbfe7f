"""Ask a deployed server what the bundle was tested with, and compare the answers."""

import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from .. import bundle
from ..errors import DeploymentFailed
from .manifest import Release

TOLERANCE = 1e-5
ALONE = {"X-Experiment-Arm": "pinned"}
"""Keeps an experiment out of the answer."""
SWITCH = 5.0
"""Seconds in which the server before may still answer once the release did."""


def check(url: str, folder: Path, release: Release, *, wait: float = 30) -> int:
    """Wait until the release answers, then compare its scores with smoke.json; give the number of rows compared.

    Args:
        url: of the server.
        folder: the release's verified bundle.
        release: the one that must answer.
        wait: seconds that it may take.

    Raises:
        DeploymentFailed: another release answers, none does, or a score is off.
    """
    found = _until(url, "/version", None, release.id, wait)
    if found.get("bundle") != release.model.bundle_id:
        raise DeploymentFailed(
            f"{url} serves bundle {str(found.get('bundle'))[:12]}, not {release.model.bundle_id[:12]}"
        )
    smoke = msgspec.json.decode((folder / bundle.SMOKE).read_bytes(), type=bundle.Smoke)
    signature = msgspec.json.decode((folder / bundle.SIGNATURE).read_bytes(), type=bundle.Signature)
    if not smoke.rows:
        return 0
    answer = _until(url, "/predict", msgspec.json.encode({"rows": smoke.rows}), release.id, SWITCH)
    try:
        given = np.array([_scores(p, signature) for p in answer["predictions"]])
    except (KeyError, TypeError) as error:
        raise DeploymentFailed(f"{url}/predict answers without {error}") from error
    expected = np.array([row if len(signature.classes) != 2 else row[1:] for row in smoke.scores])
    tolerance = max(TOLERANCE, float(release.params.get("export", {}).get("tolerance", 0)))
    if given.shape != expected.shape or not np.allclose(given, expected, rtol=tolerance, atol=tolerance):
        worst = float(np.abs(given - expected).max()) if given.shape == expected.shape else float("nan")
        raise DeploymentFailed(f"{url} does not answer as the bundle was tested (off by up to {worst:.3g})")
    return len(smoke.rows)


def version(url: str, timeout: float = 2) -> dict[str, Any]:
    """Give what GET /version says. Raises DeploymentFailed when nothing of ours answers."""
    return _ask(f"{url}/version", None, timeout)


def _until(url: str, path: str, body: bytes | None, release: str, wait: float) -> dict[str, Any]:
    """Ask until the release answers and is ready: a server that drains may take a request after the new one did."""
    deadline = time.monotonic() + wait
    while True:
        try:
            found = _ask(url + path, body)
            if found.get("release") == release:
                _ask(f"{url}/ready", None)
                return found
            trouble = f"{url} serves release {str(found.get('release'))[:12]}, not {release[:12]}"
        except DeploymentFailed as error:
            trouble = error.args[0]
        if time.monotonic() > deadline:
            raise DeploymentFailed(trouble)
        time.sleep(0.2)


def _scores(prediction: dict[str, Any], signature: bundle.Signature) -> list[float]:
    if signature.task == "regression":
        return [prediction["value"]]
    if len(signature.classes) == 2:
        return [prediction["score"]]
    return [prediction["probabilities"][name] for name in signature.classes]


def _ask(url: str, body: bytes | None, timeout: float = 10) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **ALONE}
    if token := os.environ.get("MERGELINE_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - from our outputs
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            found = msgspec.json.decode(answer.read())
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise DeploymentFailed(f"{url}: the service wants a token", "Set MERGELINE_TOKEN.") from error
        said = error.read(300).decode(errors="replace").strip()
        raise DeploymentFailed(f"{url} answers {error.code}: {said}") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise DeploymentFailed(f"{url} gives no answer of a model server: {error}") from error
    if not isinstance(found, dict):
        raise DeploymentFailed(f"{url} gives no answer of a model server")
    return found
