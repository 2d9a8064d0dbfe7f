"""What arrives at the same time is scored in one call of the model, and nobody pays for another."""

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest

from mergeline.bundle import Bundle
from mergeline.columns import Raw
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms
from mergeline.serve.scoring import Scored
from mergeline.serve.together import Together
from tests.unit.serve.asgi import ask

SIZES = [1, 3, 1, 2]


class Model:
    """Doubles x; raises on a negative one. Keeps how many rows each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, raw: Raw) -> Scored:
        self.calls.append(len(raw["x"]))
        if (raw["x"] < 0).any():
            raise ValueError(f"negative: {raw['x'].tolist()}")
        return 2 * raw["x"][:, None], 0.0, 0.0


def together(model: Model, *columns: list[float]) -> list[Any]:
    """Give what requests of these columns get that arrive at the same time."""

    async def run() -> list[Any]:
        room = Together(model)
        return await asyncio.gather(
            *(room.scores({"x": np.array(column)}) for column in columns), return_exceptions=True
        )

    return [found if isinstance(found, Exception) else found[0][:, 0].tolist() for found in asyncio.run(run())]


def test_requests_of_one_turn_share_a_call_and_each_gets_its_rows() -> None:
    assert together(model := Model(), [1.0], [2.0, 3.0], [4.0]) == [[2.0], [4.0, 6.0], [8.0]]
    assert model.calls == [4]


def test_a_request_alone_is_scored_as_it_came() -> None:
    assert together(model := Model(), [1.0, 2.0]) == [[2.0, 4.0]]
    assert model.calls == [2]


def test_a_request_that_cannot_be_scored_fails_alone() -> None:
    first, second, third = together(Model(), [1.0], [-1.0], [3.0])

    assert (first, third) == ([2.0], [6.0])
    assert str(second) == "negative: [-1.0]"


def test_one_that_gave_up_takes_nothing_from_the_others() -> None:
    async def run() -> Scored:
        room = Together(Model())
        gone, stays = (asyncio.create_task(room.scores({"x": np.array([value])})) for value in (1.0, 2.0))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(run())[0].tolist() == [[4.0]]


def test_each_turn_is_a_call_of_its_own() -> None:
    async def run(model: Model) -> None:
        room = Together(model)
        for _ in range(2):
            await room.scores({"x": np.array([1.0])})

    asyncio.run(run(model := Model()))

    assert model.calls == [1, 1]


def test_fewer_than_before_wait_one_turn_for_the_others() -> None:
    async def late(room: Together) -> Scored:
        await asyncio.sleep(0)
        return await room.scores({"x": np.array([4.0])})

    async def run(model: Model) -> tuple[Scored, Scored]:
        room = Together(model)
        await asyncio.gather(*(room.scores({"x": np.array([1.0])}) for _ in range(3)))
        found = await asyncio.gather(room.scores({"x": np.array([3.0])}), late(room))
        await room.scores({"x": np.array([5.0])})  # alone after two: nobody joins it, and it is answered all the same
        return found

    first, second = asyncio.run(run(model := Model()))

    assert (first[0].tolist(), second[0].tolist()) == ([[6.0]], [[8.0]])
    assert model.calls == [3, 2, 1]


def test_one_that_comes_alone_again_waits_for_nobody() -> None:
    async def late(room: Together) -> None:
        await asyncio.sleep(0)
        await room.scores({"x": np.array([4.0])})

    async def run(model: Model) -> None:
        room = Together(model)
        await room.scores({"x": np.array([1.0])})
        await asyncio.gather(room.scores({"x": np.array([3.0])}), late(room))

    asyncio.run(run(model := Model()))

    assert model.calls == [1, 1, 1]


def test_answers_of_a_crowd_are_those_of_each_alone(
    bundle: Bundle, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = np.cumsum(SIZES)
    bodies = [msgspec.json.encode(rows[end - size : end]) for size, end in zip(SIZES, ends, strict=True)]
    bodies.insert(2, msgspec.json.encode([{"distance": "far"}]))
    app = Application(Arms(bundle, "r1"))

    async def crowd() -> list[tuple[int, Any, bytes]]:
        return await asyncio.gather(*(ask(app, "/predict", body) for body in bodies))

    alone = [asyncio.run(ask(app, "/predict", body)) for body in bodies]
    calls: list[int] = []
    timed = Bundle.timed

    def counted(self: Bundle, raw: Raw) -> Scored:
        calls.append(len(raw["distance"]))
        return timed(self, raw)

    monkeypatch.setattr(Bundle, "timed", counted)

    at_once = asyncio.run(crowd())

    assert [(status, msgspec.json.decode(body).get("predictions")) for status, _, body in at_once] == [
        (status, msgspec.json.decode(body).get("predictions")) for status, _, body in alone
    ]
    assert sorted(status for status, _, _ in at_once) == [200, 200, 200, 200, 422]
    assert calls == [sum(SIZES)]
