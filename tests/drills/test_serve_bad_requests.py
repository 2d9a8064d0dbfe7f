"""Thousands of bad requests meet a worker: each gets its refusal, and good ones in between get what they always get.

How many there are: `DRILL_REQUESTS`; the tests of every day send fewer than `make drill-serve`.
"""

import http.client
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Self

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.drills import bad
from tests.drills.bad import Bad
from tests.drills.conftest import Counts
from tests.unit.serve.made import export, made_rows
from tests.unit.serve.servers import Running, start

pytestmark = pytest.mark.slow

WHOLE = "DRILL_REQUESTS" in os.environ
REQUESTS = int(os.environ.get("DRILL_REQUESTS", "1500"))
BY_SCHEMA = 60 if not WHOLE else REQUESTS // 10
"""Of them, those that schemathesis makes: fifty times as long in the making as those of hypothesis."""
REFUSED = {400, 404, 405, 408, 413, 415, 422, 431}
BY_DATA: list[CheckFunction] = [negative_data_rejection, positive_data_acceptance]
"""What schemathesis expects of bodies by the schema alone: the server takes more, numbers beyond 2^53 with a point."""
NO_HTTP = b"Invalid HTTP request received."
"""What uvicorn says itself, also to a method that HTTP does not know."""
MORE_MEGABYTES = 40
GOOD = msgspec.json.encode({"rows": made_rows(5, seed=5)})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(export(tmp_path_factory.mktemp("drill") / "bundle"), release="r1")
    yield running
    running.stop()


class Client:
    """One connection that is kept as long as the server keeps it; after every tenth bad request a good one."""

    def __init__(self, port: int, counts: Counts) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._counts = counts
        self._right = self._ask(Bad("/predict", GOOD))[2]
        self.statuses: Counter[int] = Counter()
        self.reopened = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, sent: Bad) -> tuple[int, bytes]:
        """Send a bad request; give status and body."""
        try:
            status, kept, body = self._ask(sent)
        except (OSError, http.client.HTTPException) as error:
            self._counts.lost.append(f"{sent.method} {sent.path} {sent.body[:100]!r}: {error!r}")
            raise
        self._counts.answered += 1
        self.statuses[status] += 1
        self.reopened += not kept
        if sum(self.statuses.values()) % 10 == 0:
            self.good()
        return status, body

    def good(self) -> None:
        """Send a good request; its answer must be what it was at first."""
        status, _, body = self._ask(Bad("/predict", GOOD))
        self._counts.answered += 1
        if (status, body) != (200, self._right):
            self._counts.wrong.append(f"{status}: {body[:200]!r}")

    def _ask(self, sent: Bad) -> tuple[int, bool, bytes]:
        headers = {"content-type": sent.kind, "content-encoding": sent.encoding}
        self._connection.request(sent.method, sent.path, sent.body, {k: v for k, v in headers.items() if v})
        answer = self._connection.getresponse()
        body = answer.read()
        return answer.status, not answer.will_close, body


@pytest.fixture
def client(server: Running, counts: Counts) -> Iterator[Client]:
    with Client(server.port, counts) as client:
        yield client


def megabytes(server: Running) -> float:
    """Give how much memory the worker holds, as it says itself."""
    told = server.ask("/metrics")[2].decode()
    return float(re.findall(r"^process_resident_memory_bytes\S* (\S+)$", told, re.MULTILINE)[0]) / 2**20


def drill(count: int, one: Callable[[Any], None], strategy: Any) -> None:
    """Generate `count` requests: the same ones each day, others in the whole drill; a failure is made small."""
    limits = settings(
        max_examples=count,
        derandomize=not WHOLE,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run: Callable[[], None] = limits(given(strategy)(one))  # type: ignore[no-untyped-call]
    run()


def fits(sent: Bad, status: int, body: bytes) -> str:
    """Say what is wrong with an answer; nothing where it is a refusal in the usual form, or a prediction of numbers."""
    if sent.method == "HEAD" or (status == 200 and sent.method == "GET"):
        return "" if status in {200, *REFUSED} else "neither a page nor a refusal"
    if body == NO_HTTP:
        return "" if status == 400 and sent.method == "X" else "it was HTTP"
    said = msgspec.json.decode(body)
    if status == 200:
        numbers = [v for one in said["predictions"] for v in one.values() if isinstance(v, float)]
        return "" if numbers and all(0 <= number <= 1 for number in numbers) else "no prediction"
    if status not in REFUSED:
        return "neither answered nor refused"
    whole = (
        set(said) == {"error", "request"} and said["error"] and len(said["error"]) < 500 and "\n" not in said["error"]
    )
    return "" if whole and "Traceback" not in said["error"] else "a refusal of another form"


def test_what_hypothesis_makes_of_good_requests(server: Running, client: Client, counts: Counts) -> None:
    for body in (bad.SEEDS[0], *[b"[" + b'{"distance":1},' * 9_999 + b'{"distance":1}]'] * 3):
        client.send(Bad("/predict", body))
    before = megabytes(server)

    def one(sent: Bad) -> None:
        status, body = client.send(sent)
        if wrong := fits(sent, status, body):
            counts.wrong.append(f"{wrong}: {sent!r:.300}: {status} {body[:200]!r}")
        assert not wrong, (sent, status, body[:200])

    drill(REQUESTS - BY_SCHEMA, one, bad.requests)

    assert {200, 400, 404, 405, 413, 415, 422} <= set(client.statuses)
    assert client.statuses.total() >= REQUESTS - BY_SCHEMA
    assert server.process.poll() is None
    assert megabytes(server) < before + MORE_MEGABYTES


def test_what_schemathesis_makes_of_the_servers_own_document(server: Running, client: Client, counts: Counts) -> None:
    address = f"http://127.0.0.1:{server.port}"
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    scoring = [operation for operation in operations if operation.method == "post"]

    def one(case: Case[Any]) -> None:
        answer = case.call(session=session)
        counts.answered += 1
        if answer.status_code >= 500:
            counts.wrong.append(f"{answer.status_code}: {case.as_curl_command()}")
        case.validate_response(answer, excluded_checks=BY_DATA)
        client.good()

    def fitting(case: Case[Any]) -> None:
        """Send a body that fits the document; columns of different lengths are what it cannot say."""
        answer = case.call(session=session)
        counts.answered += 1
        assert answer.status_code == 200 or "columns differ in length" in answer.text

    with requests.Session() as session:
        for operation in scoring:
            for mode in GenerationMode:
                drill(BY_SCHEMA // 5, one, operation.as_strategy(generation_mode=mode))
        drill(BY_SCHEMA // 5, fitting, schema["/predict"]["POST"].as_strategy())
        for operation in operations:
            if operation not in scoring:
                drill(2, one, operation.as_strategy())

    assert len(scoring) == 2
    assert counts.answered >= BY_SCHEMA
    assert server.process.poll() is None
