"""Every bad request is answered with a status of the 400s and one line, and the server goes on."""

import http.client
import socket
from typing import Any

import msgspec
import pytest

from mergeline.serve import wire
from tests.unit.serve.servers import Running

GOOD = b'{"distance": 100, "minutes": 30, "planned": "2013-06-01T10:00:00Z", "carrier": "UA"}'
JSON = "application/json"

TRUNCATED = [GOOD[:end] for end in range(1, len(GOOD))]

BROKEN = [
    b"",
    b" ",
    b"\x00",
    b"nul",
    b"NaN",
    b"-Infinity",
    b"'distance'",
    b"{'distance': 1}",
    b"{distance: 1}",
    b'{"distance": 1,}',
    b'[{"distance": 1},]',
    b'{"distance": 01}',
    b'{"distance": +1}',
    b'{"distance": .5}',
    b'{"distance": 1.}',
    b'{"distance": 0x10}',
    b'{"distance": NaN}',
    b'{"distance": Infinity}',
    b'{"distance": -Infinity}',
    b'{"distance": 1e400}',
    b'{"distance": -1e400}',
    b'{"distance": undefined}',
    b'{"distance": True}',
    b'{"distance": 1} {"distance": 2}',
    b'{"distance": 1}\n{"distance": 2}',
    b'{"distance": 1}]',
    b'{"distance" 1}',
    b'{"distance": 1 "minutes": 2}',
    b"{1: 2}",
    b'{"distance": 1 /* one */}',
    b"// one\n" + GOOD,
    b'{"carrier": "a\nb"}',
    b'{"carrier": "\\x41"}',
    b'{"carrier": "\\u12"}',
    b'{"carrier": "\\ud800"}',
    b'{"carrier": "\\udc00\\ud800"}',
    b'{"carrier": "\xff"}',
    b'{"carrier": "\xc3"}',
    b'{"carrier": "\xc0\xaf"}',
    b'{"carrier": "\xed\xa0\x80"}',
    b'{"carrier": "\xf4\x90\x80\x80"}',
    b'{"\xff": 1}',
    b"\xef\xbb\xbf" + GOOD,
    GOOD.decode().encode("utf-16"),
    GOOD.decode().encode("utf-16-le"),
    GOOD.decode().encode("utf-32"),
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    b"PAR1",
    b"distance,minutes\n100,30\n",
    b"<row><distance>100</distance></row>",
    b"distance=100&minutes=30",
    b"%7B%22distance%22%3A1%7D",
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"distance":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"a":[' * 20_000,
    b'"' + b"a" * 100_000,
    b"9" * 100_000,
]

WRONG_NUMBERS: list[Any] = ["1", "", "NaN", [], [1], {}, {"value": 1}, 2**53 + 1, -(2**53) - 1, 2**63, 2**64, -(2**63)]
WRONG_TEXTS: list[Any] = [1, 1.5, True, False, [], ["UA"], {}, {"text": "UA"}, 2**60]
WRONG_TIMES: list[Any] = [
    *(
        0,
        1370044800,
        1.5,
        True,
        [],
        {},
        "",
        " ",
        "now",
        "yesterday",
        "June 1, 2013",
        "2013",
        "1370044800",
        "x" * 10_000,
    ),
    *("2013-13-01", "2013-02-30", "2013-06-01T25:00:00", "01/06/2013", "2013-06-01T10:00:00+99:00"),
    *("2013-06-01T10:61", "0000-01-01", "99999-01-01", "2013-06-01T10:00:00 UTC", "-2013-06-01"),
]

WRONG: list[Any] = [
    None,
    True,
    0,
    1.5,
    "text",
    "",
    [],
    {},
    [[]],
    [[1, 2]],
    [None],
    [1],
    ["distance"],
    [{}],
    [{"distance": 1}, {}],
    [{"distance": 1}, None],
    [{"distance": 1}, [{"distance": 1}]],
    {"Distance": 1},
    {"unknown": 1},
    {"": 1},
    {"rows": []},
    {"rows": None},
    {"rows": 1},
    {"rows": {}},
    {"rows": {"distance": 1}},
    {"rows": [1]},
    {"rows": [[{"distance": 1}]]},
    {"rows": [{"rows": [{"distance": 1}]}]},
    {"columns": {}},
    {"columns": []},
    {"columns": None},
    {"columns": {"unknown": [1]}},
    {"columns": {"distance": []}},
    {"columns": {"distance": 1}},
    {"columns": {"distance": None}},
    {"columns": {"distance": "1"}},
    {"columns": {"distance": {"0": 1}}},
    {"columns": {"distance": [1], "minutes": [1, 2]}},
    {"columns": {"distance": [1], "minutes": []}},
    {"columns": {"distance": [[1]]}},
    {"columns": {"distance": ["1"]}},
    {"columns": {"carrier": [1]}},
    {"columns": {"planned": [1]}},
    {"columns": ["distance"], "data": [[1]]},
    {"dataframe_split": {"columns": ["distance"], "data": [[1]]}},
    {"instances": [{"distance": 1}]},
    *({"distance": value} for value in WRONG_NUMBERS),
    *({"carrier": value} for value in WRONG_TEXTS),
    *({"planned": value} for value in WRONG_TIMES),
]

HUGE_INTEGERS = [
    b'{"distance": ' + sign + b"9" * digits + b"}" for sign in (b"", b"-") for digits in (20, 25, 309, 5_000)
]

TYPES = [
    "text/plain",
    "text/csv",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/xml",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "application/jsonl",
    "application/vnd.apache.parquet",
    "json",
    "*/*",
    "\xe4",
]


def refusal(server: Running, body: bytes, **headers: str) -> tuple[int, str]:
    """Send a bad body; give status and sentence, after checking their form."""
    status, answered, answer = server.ask("/predict", body, **headers)
    said = msgspec.json.decode(answer, type=dict[str, Any])
    assert set(said) == {"error", "request"}, said
    assert said["request"] == answered["x-request-id"]
    assert said["error"]
    assert "\n" not in said["error"]
    assert len(said["error"]) < 400
    return status, said["error"]


@pytest.fixture(autouse=True)
def _still_answers(server: Running) -> Any:
    yield
    assert server.predict(msgspec.json.decode(GOOD))["predictions"][0]["label"] in ("yes", "no")


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:24]))
def test_refuses_what_is_no_json(server: Running, body: bytes) -> None:
    assert refusal(server, body)[0] in (400, 422)


def test_refuses_every_truncation_of_a_good_request(server: Running) -> None:
    assert {refusal(server, body)[0] for body in TRUNCATED} == {400}


@pytest.mark.parametrize("body", WRONG, ids=lambda body: repr(body)[:40])
def test_refuses_what_does_not_fit_the_signature(server: Running, body: Any) -> None:
    assert refusal(server, msgspec.json.encode(body))[0] == 422


@pytest.mark.parametrize("body", HUGE_INTEGERS, ids=lambda body: repr(body[:20]) + str(len(body)))
def test_refuses_integers_that_a_float_cannot_hold(server: Running, body: bytes) -> None:
    assert refusal(server, body)[0] in (400, 422)


@pytest.mark.parametrize("depth", [10, 100, 500, 800, 900, 950, 1_000, 2_000, 5_000])
def test_refuses_a_deeply_nested_value(server: Running, depth: int) -> None:
    body = b'{"distance": ' + b"[" * depth + b"]" * depth + b"}"

    assert refusal(server, body)[0] in (400, 422)


@pytest.mark.parametrize("content", TYPES)
def test_refuses_an_unknown_content_type(server: Running, content: str) -> None:
    assert refusal(server, GOOD, content_type=content)[0] in (415, 422)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "x"])
def test_refuses_an_encoded_body(server: Running, encoding: str) -> None:
    assert refusal(server, GOOD, content_encoding=encoding)[0] == 415


@pytest.mark.parametrize(
    "content", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_takes_json_however_it_is_announced(server: Running, content: str) -> None:
    assert server.ask("/predict", GOOD, content_type=content)[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_predict_refuses_other_methods(server: Running, method: str) -> None:
    status, headers, _ = server.ask("/predict", None if method in ("GET", "HEAD") else GOOD, method=method)

    assert (status, headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/health", "/ready", "/version", "/metrics", "/schema"])
def test_reading_paths_refuse_a_post(server: Running, path: str) -> None:
    status, headers, _ = server.ask(path, b"{}")

    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/", "/predict/", "/Predict", "/predict/x", "//predict", "/..%2fpredict", "/admin", "/%00"]
)
def test_an_unknown_path_is_not_found(server: Running, path: str) -> None:
    assert server.ask(path, GOOD)[0] == 404


def test_a_body_over_the_limit_is_refused_however_it_is_sent(server: Running) -> None:
    body = b'{"carrier": "' + b"a" * wire.MAX_BYTES + b'"}'
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/predict", iter([body[:100_000]] * 120), {"content-type": JSON}, encode_chunked=True)

    assert refusal(server, body)[0] == 413
    assert connection.getresponse().status == 413
    connection.close()


def test_more_rows_than_the_limit_are_refused_and_as_many_are_answered(server: Running) -> None:
    assert refusal(server, msgspec.json.encode([{"distance": 1}] * (wire.MAX_ROWS + 1)))[0] == 413
    assert len(server.predict([{"distance": 1}] * wire.MAX_ROWS)["predictions"]) == wire.MAX_ROWS


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\n" + b"x: " + b"a" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    ],
    ids=lambda sent: repr(sent[:30]),
)
def test_what_is_not_http_or_ends_early_harms_nobody(server: Running, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: _receive(connection), b""))

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionResetError:
        return b""


def test_strange_but_valid_values_are_answered(server: Running) -> None:
    rows = [
        {"distance": 2**53, "carrier": "\u0000"},
        {"distance": -0.0, "carrier": "🛫" * 1_000},
        {"distance": 1e300, "minutes": 5e-324},
        {"distance": 1, "carrier": "\u202e", "unknown": {"deep": [1, [2]]}},
        {"planned": "0001-01-01T00:00:00+23:59"},
        {"planned": "9999-12-31T23:59:59.999999-23:59"},
        {"distance": None, "planned": None, "carrier": None},
    ]

    assert len(server.predict(rows)["predictions"]) == len(rows)
