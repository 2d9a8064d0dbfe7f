"""Who is let in, by a server that asks for a token, and who is sent away at once."""

import asyncio
import hashlib
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from mergeline.bundle import Bundle
from mergeline.serve import tokens
from mergeline.serve.app import Application
from mergeline.serve.settings import Settings
from mergeline.serve.tokens import FAILURES, Gate
from mergeline.serve.wire import Refused
from tests.unit.serve.load import BODY

OLD, NEW = "the-old-one", "the-new-one"
HASHES = frozenset(hashlib.sha256(token.encode()).digest() for token in (OLD, NEW))


async def ask(app: Application, path: str, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Send one request, POST to what predicts; give status, headers and the decoded answer, if it is JSON."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"instances": [%s]}' % BODY if path == "/invocations" else BODY}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    given = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    method = "POST" if path in ("/predict", "/invocations") else "GET"
    await app({"path": path, "method": method, "headers": given}, receive, send)
    start, body = sent
    answer = {name.decode(): value.decode() for name, value in start["headers"]}
    decoded = msgspec.json.decode(body["body"]) if answer["content-type"] == "application/json" else None
    return start["status"], answer, decoded


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/schema", "/metrics", "/nowhere"])
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {OLD}", OLD, "Bearer \xff"])
def test_without_a_right_token_nothing_is_told(bundle: Bundle, path: str, header: str) -> None:
    status, headers, answer = asyncio.run(
        ask(Application(bundle, Settings(token_hashes=HASHES)), path, authorization=header)
    )

    assert status == 401
    assert headers["www-authenticate"] == "Bearer"
    assert set(answer) == {"error", "request"}


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/schema", "/metrics"])
@pytest.mark.parametrize("header", [f"Bearer {OLD}", f"bearer  {NEW}"])
def test_every_token_that_is_known_is_let_in(bundle: Bundle, path: str, header: str) -> None:
    status, _, _ = asyncio.run(ask(Application(bundle, Settings(token_hashes=HASHES)), path, authorization=header))

    assert status == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/ping", "/version"])
def test_whoever_keeps_the_service_up_needs_no_token(bundle: Bundle, path: str) -> None:
    assert asyncio.run(ask(Application(bundle, Settings(token_hashes=HASHES)), path))[0] == 200


def test_a_flood_of_wrong_tokens_is_throttled_and_right_ones_go_on() -> None:
    now = 0.0
    gate = Gate(HASHES, lambda: now)
    said = [refusal(gate, "Bearer wrong") for _ in range(FAILURES + 50)]
    gate.check(f"Bearer {OLD}")

    assert said == [HTTPStatus.UNAUTHORIZED] * FAILURES + [HTTPStatus.TOO_MANY_REQUESTS] * 50
    now = 60 / FAILURES
    assert [refusal(gate, "Bearer wrong") for _ in range(2)] == [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS]


def refusal(gate: Gate, header: str) -> HTTPStatus:
    with pytest.raises(Refused) as refused:
        gate.check(header)
    return refused.value.status


def test_a_new_token_has_256_random_bits_and_is_let_in_by_its_hash() -> None:
    token, hashed = tokens.new()

    Gate(frozenset([bytes.fromhex(hashed)])).check(f"Bearer {token}")
    assert len(token) >= 43
    assert token != tokens.new()[0]


def test_a_path_that_is_closed_is_not_there(bundle: Bundle) -> None:
    status, _, answer = asyncio.run(ask(Application(bundle, Settings(closed=frozenset(["/metrics"]))), "/metrics"))

    assert status == 404
    assert "/metrics" not in answer["error"]


def test_those_beyond_the_limit_are_sent_away_at_once_and_the_rest_are_answered(bundle: Bundle) -> None:
    app = Application(bundle, Settings(concurrency=3))

    async def crowd() -> list[tuple[int, dict[str, str], Any]]:
        return await asyncio.gather(*(ask(app, "/predict") for _ in range(10)))

    answers = asyncio.run(crowd())
    assert sorted(status for status, _, _ in answers) == [200] * 3 + [503] * 7
    assert {headers.get("retry-after") for status, headers, _ in answers if status == 503} == {"1"}
    assert asyncio.run(ask(app, "/predict"))[0] == 200, "the crowd is gone"
