"""What a connection gets to see: each answer whole and in turn, and an end when one is due."""

import asyncio
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import uvicorn
from uvicorn.server import ServerState

from mergeline.bundle import Bundle
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms
from mergeline.serve.protocol import Protocol
from tests.unit.serve.load import BODY
from tests.unit.serve.servers import Running

PREDICT = b"POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
ANSWER = re.compile(rb"HTTP/1\.1 200 OK\r\n(?P<head>(?:[^\r]+\r\n)*)\r\n")


def said(server: Running, request: bytes, until: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """Give what the server says to these bytes until it closes the connection, or until it is enough."""
    found = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        while not until(found) and (part := connection.recv(65_536)):
            found += part
    return found


def memory(server: Running) -> float:
    """Give what the server holds of the machine's memory, in bytes, as it says itself."""
    found = re.search(r"^process_resident_memory_bytes\{.*\} (\S+)$", server.ask("/metrics")[2].decode(), re.MULTILINE)
    assert found
    return float(found[1])


def test_an_answer_has_a_date_its_length_and_a_request_id_and_the_connection_stays(server: Running) -> None:
    whole = said(server, PREDICT % (len(BODY), BODY) * 2, lambda found: found.count(b"\r\n\r\n") == 2)

    names = [re.findall(rb"([^\r\n:]+): ", head) for head in ANSWER.findall(whole)]
    assert names == [[b"date", b"content-type", b"content-length", b"x-request-id"]] * 2


def test_an_answer_is_one_write(bundle: Bundle) -> None:
    app = Application(Arms(bundle, "r1"))
    transport = Mock(asyncio.Transport)
    transport.is_closing.return_value = False
    transport.get_extra_info.return_value = None

    async def run() -> None:
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        config.load()
        protocol = Protocol(config, ServerState(), {}, settings=app.settings, refused=app.refused)
        protocol.connection_made(transport)
        protocol.data_received(PREDICT % (len(BODY), BODY))
        await asyncio.gather(*protocol.tasks)

    asyncio.run(run())

    ((whole,),) = [call.args for call in transport.write.call_args_list]
    assert ANSWER.match(whole)
    assert b'"predictions"' in whole


def test_a_head_request_gets_the_length_and_no_body(server: Running) -> None:
    whole = said(server, b"HEAD /schema HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")

    assert re.search(rb"content-length: [1-9]", whole)
    assert whole.endswith(b"\r\n\r\n")


def test_who_asks_for_the_end_of_a_connection_or_cannot_keep_one_is_told_of_it(server: Running) -> None:
    for request in (b"GET /ready HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n", b"GET /ready HTTP/1.0\r\n\r\n"):
        whole = said(server, request)  # ends, since the server closes

        assert whole.count(b"connection: close\r\n") == 1
        assert whole.endswith(b'{"status":"ready"}')


def test_a_body_that_waits_for_leave_gets_it(server: Running) -> None:
    head, body = (PREDICT % (len(BODY), BODY)).split(b"\r\n\r\n")

    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head + b"\r\nexpect: 100-continue\r\n\r\n")
        leave = connection.recv(65_536)
        connection.sendall(body)
        answer = connection.recv(65_536)

    assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert ANSWER.match(answer)


def test_requests_in_a_row_are_answered_in_their_order(server: Running) -> None:
    paths = [b"/health", b"/version", b"/ready"] * 20
    requests = b"".join(b"GET %s HTTP/1.1\r\nhost: test\r\n\r\n" % path for path in paths)

    whole = said(server, requests, lambda found: found.count(b"}") == len(paths))

    found = [body.split(b"HTTP/1.1", 1)[0] for body in ANSWER.split(whole)[2::2]]
    assert [b"alive" in body for body in found] == [path == b"/health" for path in paths]
    assert [b"ready" in body for body in found] == [path == b"/ready" for path in paths]


def test_who_asks_and_does_not_read_fills_no_memory(serve: Callable[..., Running], folder: Path) -> None:
    server = serve(folder)
    asks = 1_000
    document = len(server.ask("/openapi.json")[2])
    before = memory(server)

    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: test\r\n\r\n" * asks)
        time.sleep(1)
        grown = memory(server) - before
        left = asks * document
        while left > 0:
            left -= len(connection.recv(2**20))

    assert grown < asks * document / 4
    assert document > 10_000
