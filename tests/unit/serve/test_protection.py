"""Who may ask the server, how much of it, and what too much costs."""

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline.bundle import Bundle
from mergeline.columns import Raw
from mergeline.errors import BadSettings
from mergeline.serve import invocations, settings, tokens
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms
from mergeline.serve.limits import INLINE_BYTES
from mergeline.serve.scoring import Scored
from mergeline.serve.settings import Settings
from mergeline.serve.wire import Bounds, Refused
from tests.unit.serve.asgi import ask
from tests.unit.serve.load import BODY
from tests.unit.serve.servers import Running

TOKENS = ("first", "second")
HASHES = tuple(hashlib.sha256(token.encode()).digest() for token in TOKENS)


def test_every_listed_token_may_ask_and_no_other(bundle: Bundle) -> None:
    app = Application(Arms(bundle, None), Settings(token_hashes=HASHES))

    assert [asyncio.run(ask(app, "/predict", BODY, token))[0] for token in TOKENS] == [200, 200]
    for token in (None, "", "third", "first second", HASHES[0].hex(), "\xff"):
        status, headers, _ = asyncio.run(ask(app, "/predict", BODY, token))
        assert (status, headers[b"www-authenticate"]) == (401, b"Bearer")


def test_what_a_load_balancer_asks_needs_no_token_and_the_rest_does(bundle: Bundle) -> None:
    app = Application(Arms(bundle, None), Settings(token_hashes=HASHES))

    assert {asyncio.run(ask(app, path))[0] for path in ("/health", "/ready", "/ping", "/version")} == {200}
    assert {asyncio.run(ask(app, path))[0] for path in ("/schema", "/metrics", "/docs", "/openapi.json")} == {401}


def test_a_flood_of_wrong_tokens_is_throttled_and_right_ones_go_on() -> None:
    now = [0.0]
    guard = tokens.Guard(HASHES, clock=lambda: now[0])

    def status(token: str) -> int:
        try:
            guard.check("/predict", f"Bearer {token}")
        except Refused as refused:
            return int(refused.status)
        return 200

    said = [status("wrong") for _ in range(tokens.FAILURES + 5)]

    assert said == [401] * tokens.FAILURES + [429] * 5
    assert status("second") == 200
    now[0] = 1.0
    assert [status("wrong"), status("wrong")] == [401, 429]


def test_closed_metrics_are_not_there(bundle: Bundle) -> None:
    assert (
        asyncio.run(ask(Application(Arms(bundle, None), Settings(closed=frozenset({"metrics"}))), "/metrics"))[0] == 404
    )


def test_more_requests_than_places_get_503_at_once_and_places_come_back(bundle: Bundle) -> None:
    app = Application(Arms(bundle, None), Settings(max_requests=1))

    async def both() -> tuple[tuple[int, dict[bytes, bytes], bytes], int]:
        arrives = asyncio.Event()

        async def slow() -> MutableMapping[str, Any]:
            await arrives.wait()
            return {"type": "http.request", "body": BODY}

        first = asyncio.create_task(ask(app, "/predict", BODY, receive=slow))
        await asyncio.sleep(0)
        second = await ask(app, "/predict", BODY)
        arrives.set()
        return second, (await first)[0]

    (status, headers, _), first = asyncio.run(both())

    assert (status, headers[b"retry-after"], first) == (503, b"1", 200)
    assert asyncio.run(ask(app, "/predict", BODY))[0] == 200


def test_of_a_crowd_that_comes_at_once_the_rest_is_sent_away(bundle: Bundle) -> None:
    app = Application(Arms(bundle, None), Settings(max_requests=3))

    async def crowd() -> list[int]:
        return [status for status, _, _ in await asyncio.gather(*(ask(app, "/predict", BODY) for _ in range(10)))]

    assert sorted(asyncio.run(crowd())) == [200] * 3 + [503] * 7


def test_a_small_request_is_answered_while_a_big_one_is_scored(
    bundle: Bundle, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, free, timed = Application(Arms(bundle, None)), threading.Event(), Bundle.timed

    def held(self: Bundle, raw: Raw) -> Scored:
        if len(raw["distance"]) == len(rows):
            assert free.wait(20)
        return timed(self, raw)

    monkeypatch.setattr(Bundle, "timed", held)

    async def run() -> tuple[int, int]:
        big = asyncio.create_task(ask(app, "/predict", msgspec.json.encode(rows)))
        await asyncio.sleep(0)
        small = await ask(app, "/predict", BODY)
        free.set()
        return small[0], (await big)[0]

    assert asyncio.run(run()) == (200, 200)


def test_a_big_request_is_answered_as_its_rows_are(bundle: Bundle, rows: list[dict[str, Any]]) -> None:
    app = Application(Arms(bundle, None))
    big = msgspec.json.encode(rows)
    assert len(big) > INLINE_BYTES

    _, _, together = asyncio.run(ask(app, "/predict", big))
    parts = [asyncio.run(ask(app, "/predict", msgspec.json.encode(rows[i : i + 100])))[2] for i in range(0, 500, 100)]

    apart = [one for part in parts for one in msgspec.json.decode(part)["predictions"]]
    assert msgspec.json.decode(together)["predictions"] == apart


@pytest.mark.parametrize("body", [b"," * 2**20, b"\n" * 2**20, b"\r" * 2**20, (b"," * 2_000 + b"\n") * 500])
def test_csv_of_commas_or_line_ends_costs_no_more_than_rows_do(bundle: Bundle, body: bytes) -> None:
    def seconds(content: bytes) -> float:
        start = time.process_time()
        try:
            invocations.read(content, "text/csv", bundle.signature)
        except Refused as refused:
            assert refused.status == 413  # noqa: PT017
        return time.process_time() - start

    normal = b"distance,minutes,carrier\n" + b"100,30,UA\n" * 9_000
    assert min(seconds(body) for _ in range(3)) < 3 * min(seconds(normal) for _ in range(3))


def test_commas_and_line_ends_in_quoted_text_are_values(bundle: Bundle) -> None:
    text = "," * 5_000 + "\n\n" + "x"

    raw = invocations.read(f'carrier,distance\n"{text}",1\n'.encode(), "text/csv", bundle.signature)

    assert raw["carrier"].tolist() == [text]


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("/predict", lambda row: row),
        ("/predict", lambda row: {"columns": {name: [1] for name in row}}),
        ("/invocations", lambda row: {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}),
    ],
)
def test_a_row_of_too_many_columns_is_refused(bundle: Bundle, path: str, made: Callable[[Any], Any]) -> None:
    row = {"distance": 1, **{f"c{i}": 1 for i in range(2_000)}}

    assert asyncio.run(ask(Application(Arms(bundle, None)), path, msgspec.json.encode(made(row))))[0] == 413


def test_rows_are_bounded_by_the_setting(bundle: Bundle) -> None:
    with pytest.raises(Refused, match="the limit is 2"):
        invocations.read(b"distance\n1\n2\n3\n", "text/csv", bundle.signature, Bounds(rows=2))


def test_hashes_come_from_the_variable_and_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hashes"
    file.write_text(f"# old\n{HASHES[1].hex()}  # new\n\n")

    found = settings.read(
        {"MERGELINE_TOKEN_HASHES": HASHES[0].hex().upper(), "MERGELINE_TOKEN_HASHES_FILE": str(file), "MERGELINE_X": ""}
    )

    assert found.token_hashes == HASHES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN_HASHES", "my-secret"),
        ("TOKEN_HASHES_FILE", "/no/such/file"),
        ("TOKEN_HASHES_FILE", "/dev/null"),
        ("OPEN", "yes"),
        ("CLOSED", "metrics schema"),
        ("MAX_ROWS", "0"),
        ("MAX_BYTES", "10MB"),
        ("BODY_SECONDS", "-1"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(BadSettings) as error:
        settings.read({f"MERGELINE_{name}": value})

    assert f"MERGELINE_{name}" in str(error.value)
    assert "\n" not in str(error.value)
    assert "my-secret" not in str(error.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.test"])  # noqa: S104 - nothing listens
def test_an_address_that_others_reach_wants_tokens_or_a_word(host: str) -> None:
    with pytest.raises(BadSettings, match="--open"):
        tokens.demand(host, Settings())
    tokens.demand(host, Settings(open=True))
    tokens.demand(host, Settings(token_hashes=HASHES))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_wants_none(host: str) -> None:
    tokens.demand(host, Settings())


def test_a_made_token_is_let_in_by_its_hash() -> None:
    made = tokens.new()

    tokens.Guard([bytes.fromhex(made.sha256)]).check("/predict", f"Bearer {made.token}")


@pytest.mark.slow
def test_slow_and_endless_requests_lose_their_connection(
    serve: Callable[..., Running], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_HEAD_SECONDS", "1")
    monkeypatch.setenv("MERGELINE_BODY_SECONDS", "1")
    server = serve(folder)
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\n"
    sent = {
        b"408": [head, head + b"content-length: 9\r\n\r\n{", b"\r\n"],
        b"431": [head + b"x: " + b"y" * 100_000],
    }
    for status, starts in sent.items():
        for start in starts:
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
                connection.sendall(start)
                answer = b"".join(iter(lambda: connection.recv(65_536), b""))
            assert answer.startswith(b"HTTP/1.1 " + status)
    counted = server.ask("/metrics")[2].decode()
    assert 'mergeline_errors_total{kind="timeout"} 3.0' in counted
    assert 'mergeline_errors_total{kind="too_large"} 1.0' in counted


@pytest.mark.slow
def test_a_connection_too_many_is_told_so(
    serve: Callable[..., Running], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_MAX_CONNECTIONS", "1")
    server = serve(folder)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as first:
        first.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 " in first.recv(65_536)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as second:
            answer = b"".join(iter(lambda: second.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 503")
