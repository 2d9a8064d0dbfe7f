"""The switch at a real HAProxy, with the configuration that the module gives it."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mergeline.errors import DeploymentFailed
from tests.unit.docker_target.conftest import Place

pytestmark = pytest.mark.slow


def ask(url: str) -> str:
    with urllib.request.urlopen(f"{url}/version", timeout=5) as answer:  # noqa: S310 - the gateway of the test
        return str(json.loads(answer.read())["release"])


@contextmanager
def steadily(url: str) -> Iterator[set[str]]:
    """Ask all the time, and collect who answered; none may fail."""
    answered: set[str] = set()
    failed: list[OSError] = []
    over = threading.Event()

    def asking() -> None:
        while not over.is_set():
            try:
                answered.add(ask(url))
            except OSError as error:
                failed.append(error)

    client = threading.Thread(target=asking)
    client.start()
    try:
        yield answered
    finally:
        over.set()
        client.join()
    assert failed == []


def test_a_gateway_without_servers_says_so(place: Place) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(place.url)

    assert refused.value.code == 503
    assert json.loads(refused.value.read()) == {"error": "no server of the pinned release is up"}


@pytest.mark.parametrize("strategy", ["blue_green", "rolling"])
def test_no_request_fails_and_no_old_server_answers_after_a_switch(place: Place, strategy: str) -> None:
    for name in ("a-0", "a-1", "b-0", "b-1"):
        place.serve(name)
    place.switch("a-0", "a-1", strategy=strategy)
    with steadily(place.url) as answered:
        for letter in "baba":
            place.switch(f"{letter}-0", f"{letter}-1", strategy=strategy)
            assert {ask(place.url) for _ in range(20)} <= {f"{letter}-0", f"{letter}-1"}
            assert place.taken() == [f"{letter}-0", f"{letter}-1"]

    assert answered == {"a-0", "a-1", "b-0", "b-1"}


def test_a_server_that_does_not_become_ready_leaves_the_old_one(place: Place) -> None:
    place.serve("a-0")
    place.serve("b-0", ready=False)
    place.switch("a-0")

    with pytest.raises(DeploymentFailed, match="server b-0 is not ready"):
        place.switch("b-0", seconds=1)

    assert place.taken() == ["a-0"]
    assert ask(place.url) == "a-0"


def test_a_slot_that_is_used_again_leads_nobody_to_the_server_it_had_before(place: Place) -> None:
    for name in ("a-0", "b-0", "c-0"):
        place.serve(name)
    place.switch("a-0")
    place.switch("b-0")
    with steadily(place.url) as answered:
        place.switch("c-0")

    assert "c-0" in answered
    assert answered <= {"b-0", "c-0"}


@pytest.mark.parametrize(("strategy", "spared"), [("blue_green", []), ("rolling", ["b-1"])])
def test_a_server_that_goes_down_when_it_gets_requests_stops_the_switch(
    place: Place, strategy: str, spared: list[str]
) -> None:
    for name in ("a-0", "a-1", "b-0", "b-1"):
        place.serve(name)
    place.fragile = {"b-0", "b-1"}
    place.switch("a-0", "a-1", strategy=strategy)
    words = r"server b-\d went down when it got requests"
    with steadily(place.url) as answered, pytest.raises(DeploymentFailed, match=words):
        place.switch("b-0", "b-1", strategy=strategy)

    assert place.taken() == ["a-0", "a-1"]
    assert {ask(place.url) for _ in range(20)} <= {"a-0", "a-1"}
    assert answered.isdisjoint(spared)


def test_a_switch_ends_when_the_old_server_has_answered_its_last_request(place: Place) -> None:
    for name in ("a-0", "b-0"):
        place.serve(name)
    place.switch("a-0")
    place.slow = 3.0
    late: list[str] = []
    asking = threading.Thread(target=lambda: late.append(ask(place.url)))
    asking.start()
    time.sleep(0.2)
    place.slow = 0.0

    place.switch("b-0")

    assert late == ["a-0"]
    asking.join()


def test_a_killed_gateway_finds_its_servers_again(place: Place) -> None:
    for name in ("a-0", "b-0"):
        place.serve(name)
    place.switch("a-0")
    place.switch("b-0")
    place.kill()

    place.start()

    deadline = time.monotonic() + 5
    while True:
        try:
            assert ask(place.url) == "b-0"
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert place.taken() == ["b-0"]


def test_a_second_switch_to_the_same_servers_changes_nothing(place: Place) -> None:
    place.serve("a-0")
    place.switch("a-0")
    before = place.slots()

    place.switch("a-0")

    assert [(s.server, s.taken) for s in place.slots()] == [(s.server, s.taken) for s in before]
