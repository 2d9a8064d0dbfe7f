"""Steady requests while releases move: which were lost, and which were answered by a release that should not answer."""

import http.client
import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, Self

PAUSE = 0.025
"""Seconds between two requests of a client: about a hundred a second in all, and most of the machine for the rollout."""


def predict(connection: http.client.HTTPConnection, body: str) -> str:
    """Ask for predictions; give the release id that answered. Raises OSError, HTTPException: also for all but a 200."""
    connection.request("POST", "/predict", body, _headers())
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(f"{answer.status}: {content[:200]!r}")
    return str(json.loads(content)["release"])


def _headers() -> dict[str, str]:
    token = os.environ.get("MERGELINE_TOKEN")
    return {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}


class Traffic:
    """Three clients that ask without end, two of them on a connection that they keep.

    A request whose connection breaks is asked once more, as every load balancer does for one that a killed server
    held; it is lost when that fails too, or when the answer is not 200. `wrong` are answers of a release that is not
    in `right` now; a request counts by what was right when it was sent or answered.
    """

    def __init__(self, port: int, right: Iterable[str], rows: Sequence[dict[str, Any]]) -> None:
        self.port = port
        self.body = json.dumps({"rows": rows})
        self.right = frozenset(right)
        self.answered = 0
        self.lost: list[str] = []
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._ask, args=(kept,)) for kept in (True, True, False)]

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _ask(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        while not self._over.is_set():
            before = self.right
            try:
                release = predict(connection, self.body)
            except (OSError, http.client.HTTPException) as broken:
                connection.close()
                try:
                    release = predict(connection, self.body)
                except (OSError, http.client.HTTPException) as error:
                    self.lost.append(f"{broken!r}, then {error!r}")
                    connection.close()
                    continue
            self.answered += 1
            if release not in before | self.right:
                self.wrong.append(release)
            if not kept:
                connection.close()
            time.sleep(PAUSE)
        connection.close()
