"""Rows of several requests in one call of the model: sixteen cost it little more than one."""

import asyncio
from collections.abc import Callable

import numpy as np

from ..columns import Raw
from .scoring import Scored


class Together:
    """Scores what arrived in one turn of the event loop at once; a request that comes alone waits for nobody.

    A row's score does not depend on the rows beside it: `features.py` looks at one row, and `export` proves it.
    """

    def __init__(self, score: Callable[[Raw], Scored]) -> None:
        self._score = score
        self._waiting: list[tuple[Raw, asyncio.Future[Scored]]] = []

    async def scores(self, raw: Raw) -> Scored:
        """Give what `score` gives of these columns, shape (n,) each; raises what it raises of them."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._all)
        mine: asyncio.Future[Scored] = loop.create_future()
        self._waiting.append((raw, mine))
        return await mine

    def _all(self) -> None:
        waiting, self._waiting = self._waiting, []
        if len(waiting) > 1:
            try:
                scores, features, model = self._score(_joined([raw for raw, _ in waiting]))
            except Exception:  # one of them is to blame, and the others shall not pay: each alone
                scores = None
            if scores is not None:
                ends = np.cumsum([_rows(raw) for raw, _ in waiting]).tolist()
                for (_, mine), begin, end in zip(waiting, [0, *ends], ends, strict=False):
                    if not mine.done():
                        mine.set_result((scores[begin:end], features, model))
                return
        for raw, mine in waiting:
            if not mine.done():
                try:
                    mine.set_result(self._score(raw))
                except Exception as error:  # for the request that awaits it
                    mine.set_exception(error)


def _joined(parts: list[Raw]) -> Raw:
    return {name: np.concatenate([raw[name] for raw in parts]) for name in parts[0]}


def _rows(raw: Raw) -> int:
    return len(next(iter(raw.values())))
