"""What the server promises of itself: how long its answers take beside a shadow, and under five times what it can do."""

import hashlib
import json
import shutil
import statistics
import timeit
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tools.serving import load
from tools.serving.contenders import Contender, Rows, Running, Stopped, ask, on, running

RATE = 200.0
"""Requests a second beside a shadow."""
ROWS, PLACES, TIMES = 200, 2, 5
"""Rows of a request in the flood, requests that the server holds, and how many times its capacity are sent."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A latency in ms at the 99th percentile, in a hard case and in the plain one."""

    hard: float
    plain: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server runs, where the load comes from, and what is asked."""

    ours: Contender
    folder: Path
    serving: frozenset[int]
    loading: frozenset[int]
    rows: Rows

    def server(self, env: Mapping[str, str]) -> AbstractContextManager[Running]:
        """Start one with further variables."""
        contender = replace(self.ours, env={**self.ours.env, **env})
        return running(contender, self.folder / "ours.log", self.serving, self.rows)


def shadowed(place: Place, bundle: Path, rounds: int, seconds: float) -> Promise:
    """Measure at a fixed rate, in turn, a server alone and one whose shadow is the same bundle."""
    bundles = place.folder / "bundles"
    shutil.rmtree(bundles, ignore_errors=True)
    found = hashlib.sha256((bundle / "bundle.json").read_bytes()).hexdigest()
    shutil.copytree(bundle, bundles / found)
    release = {"id": "0" * 64, "model": {"bundle_id": found}}
    experiment = json.dumps({"release": release, "kind": "shadow", "share": 1})
    bodies = [place.ours.body([row]) for row in place.rows[:200]]
    p99: dict[str, list[float]] = {"plain": [], "hard": []}
    with ExitStack() as stack:
        servers = {
            "plain": stack.enter_context(place.server({})),
            "hard": stack.enter_context(
                place.server({"MERGELINE_EXPERIMENT": experiment, "MERGELINE_BUNDLES": str(bundles)})
            ),
        }
        stack.enter_context(on(place.loading))
        for _ in range(rounds):
            for name, server in servers.items():
                p99[name].append(load.opened(server, bodies, rate=RATE, seconds=seconds).p99)
    return Promise(statistics.median(p99["hard"]), statistics.median(p99["plain"]))


def flooded(place: Place, seconds: float) -> tuple[Promise, Promise, float]:
    """Send five times the capacity: give accepted and refused requests, each against those alone, and the share accepted.

    Raises:
        Stopped: a request got another answer than 200 or 503, or all got the same.
    """
    body = place.ours.body(place.rows[:ROWS])
    with place.server({"MERGELINE_MAX_REQUESTS": str(PLACES)}) as server, on(place.loading):
        once = timeit.repeat(lambda: ask(place.ours, server.port, place.rows[:ROWS]), number=1, repeat=50)
        can = 1 / statistics.median(once)
        send = partial(load.steady, server.port, place.ours.path, [body])
        alone = load.loop(send(rate=can / 4, seconds=seconds, connections=1)).p99
        found = send(rate=TIMES * can, seconds=seconds, connections=64)
    if others := {one.status for one in found} - {200, 503}:
        raise Stopped(f"the flooded server answered {others}")
    accepted, refused = ([one for one in found if one.status == status] for status in (200, 503))
    if not accepted or not refused:
        raise Stopped("the flood was none: all of its requests got the same answer")
    share = len(accepted) / len(found)
    return Promise(load.loop(accepted).p99, alone), Promise(load.loop(refused).p99, alone), share
