"""Steady requests for the tests of targets: none is asked twice, so what fails was lost."""

import json
import threading
import time
from http.client import HTTPConnection, HTTPException

from tests.unit.bundles import ROWS
from tools.traffic import PAUSE, predict


class Load:
    """Steady requests on a connection that is kept and on fresh ones, none asked twice: what failed, who answered when."""

    def __init__(self, url: str) -> None:
        self.port = int(url.rpartition(":")[2])
        self.failed: list[str] = []
        self.answers: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._ask, args=(kept,)) for kept in (True, False)]

    def __enter__(self) -> "Load":
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _ask(self, kept: bool) -> None:
        body = json.dumps({"rows": ROWS})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                self.answers.append((begun, predict(connection, body)))
            except (OSError, HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            if not kept:
                connection.close()
            time.sleep(PAUSE)
        connection.close()

    def wrong(self, release: str, since: float, until: float = float("inf")) -> int:
        """Count answers to requests that began in this time and came from another release."""
        return sum(since < begun < until and found != release for begun, found in self.answers)
