"""A fault of the server itself is told apart from a bad request, and its inside stays inside."""

import asyncio
import logging
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mergeline.bundle import Bundle
from mergeline.columns import Masking
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms
from tests.unit.serve.load import BODY


class Broken:
    """A model that fails on every row."""

    def get_inputs(self) -> list[Any]:
        return []

    def run(self, *_: Any) -> Any:
        raise RuntimeError("secret detail")


def ask(app: Application, *messages: dict[str, Any]) -> list[MutableMapping[str, Any]]:
    """Send the messages of one request for a prediction; give what the application sends."""
    sent: list[MutableMapping[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"path": "/predict", "method": "POST", "headers": []}, receive, send))
    return sent


def test_a_model_that_fails_is_a_500_whose_cause_is_in_the_log_alone(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application(Arms(replace(bundle, session=Broken()), None))

    with caplog.at_level(logging.ERROR):
        start, body = ask(app, {"type": "http.request", "body": BODY})

    assert start["status"] == 500
    assert "secret" not in msgspec.json.decode(body["body"])["error"]
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(("masked", "quoted"), [({}, True), ({"carrier": "hash"}, False)])
def test_a_refused_value_is_logged_only_where_no_column_is_sensitive(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, masked: dict[str, Masking], quoted: bool
) -> None:
    signature = msgspec.structs.replace(bundle.signature, masked=masked)
    app = Application(Arms(replace(bundle, signature=signature), None))

    with caplog.at_level(logging.INFO):
        start, body = ask(app, {"type": "http.request", "body": b'{"carrier": 4711}'})

    assert start["status"] == 422
    assert "4711" in msgspec.json.decode(body["body"])["error"]
    (line,) = (record for record in caplog.records if record.message == "refused")
    assert ("4711" in str(line.__dict__["fields"])) == quoted


def test_a_client_that_leaves_halfway_gets_no_answer(bundle: Bundle) -> None:
    left = ask(
        Application(Arms(bundle, None)),
        {"type": "http.request", "body": BODY[:5], "more_body": True},
        {"type": "http.disconnect"},
    )

    assert left == []


def test_a_body_in_pieces_is_read_whole(bundle: Bundle) -> None:
    pieces = [{"type": "http.request", "body": BODY[i : i + 1], "more_body": True} for i in range(len(BODY))]

    start, body = ask(Application(Arms(bundle, None)), *pieces, {"type": "http.request"})

    assert start["status"] == 200
    assert len(msgspec.json.decode(body["body"])["predictions"]) == 1
