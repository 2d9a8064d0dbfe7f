"""What an experiment's release answers is counted as its own, and nothing is lost when it comes or goes."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from mergeline.bundle import Bundle
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms, Beside, Experiment
from mergeline.serve.settings import Settings
from tests.unit.serve.experiment.conftest import said
from tests.unit.serve.made import made_rows

ROWS = 200


def asked(app: Application, path: str, body: bytes | None = None) -> bytes:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"x-request-id", b"the-same")]
    asyncio.run(app({"path": path, "method": "POST" if body else "GET", "headers": headers}, receive, send))
    assert sent[0]["status"] == 200
    return bytes(sent[1]["body"])


def rows_by_arm(app: Application) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(asked(app, "/metrics").decode()):
        for sample in family.samples:
            if sample.name == "mergeline_predictions_total":
                key = (sample.labels["release"], sample.labels["arm"])
                found[key] = found.get(key, 0) + sample.value
    return found


def test_rows_are_counted_for_the_release_that_answered_them(bundle: Bundle, other: Bundle, tmp_path: Path) -> None:
    app = Application(Arms(bundle, "r1"), Settings(metrics=str(tmp_path)))
    body = msgspec.json.encode(made_rows(ROWS, seed=3))
    asked(app, "/predict", body)
    wanted = msgspec.convert(said(other.id, key="distance"), Experiment)

    app.use(Arms(bundle, "r1", Beside(wanted, other, bundle, lambda _: None)))
    answered = msgspec.json.decode(asked(app, "/predict", body))["predictions"]
    theirs = sum(one["release"] == "r2" for one in answered)
    app.use(Arms(bundle, "r1"))

    assert 0 < theirs < ROWS
    assert rows_by_arm(app) == {("r1", "pinned"): 2 * ROWS - theirs, ("r2", "ab"): theirs}
