"""Rows of several requests in one call of the model: sixteen cost it little more than one."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import accumulate, pairwise

from ..columns import Raw, joined, rows
from .scoring import Scored


class Together:
    """Scores what arrived in one turn of the event loop at once.

    Clients that were answered together ask again together, but not within the same turn: where fewer wait than were
    scored the last time, one more turn is given to the others. Who always comes alone waits for nobody.

    A row's score does not depend on the rows beside it: `features.py` looks at one row, and `export` proves it.
    """

    def __init__(self, score: Callable[[Raw], Scored]) -> None:
        self._score = score
        self._waiting: list[tuple[Raw, asyncio.Future[Scored]]] = []
        self._before = 0
        self._late = False

    async def scores(self, raw: Raw) -> Scored:
        """Give what `score` gives of these columns, shape (n,) each; raises what it raises of them."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._all)
        mine: asyncio.Future[Scored] = loop.create_future()
        self._waiting.append((raw, mine))
        return await mine

    def _all(self) -> None:
        if len(self._waiting) < self._before and not self._late:
            self._late = True
            asyncio.get_running_loop().call_soon(self._all)
            return
        waiting, self._waiting = self._waiting, []
        self._before, self._late = len(waiting), False
        found = self._each([raw for raw, _ in waiting])
        for (_, mine), one in zip(waiting, found, strict=True):
            if mine.done():  # its request was given up
                continue
            if isinstance(one, Exception):
                mine.set_exception(one)
            else:
                mine.set_result(one)

    def _each(self, parts: list[Raw]) -> list[Scored | Exception]:
        """Give what each gets: of one call, or, where that fails, alone, so that none pays for another."""
        if len(parts) > 1:
            with contextlib.suppress(Exception):
                scores, features, model = self._score(joined(parts))
                ends = accumulate(map(rows, parts), initial=0)
                return [(scores[begin:end], features, model) for begin, end in pairwise(ends)]
        return [self._alone(part) for part in parts]

    def _alone(self, raw: Raw) -> Scored | Exception:
        try:
            return self._score(raw)
        except Exception as error:  # for the request that awaits it
            return error
