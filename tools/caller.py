"""A client that asks a service for predictions without a pause and counts what fails."""

import http.client
import json
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

from tools import story
from tools.traffic import predict

PAUSE = 0.02


class Caller:
    """Ask in the background from `with` to its end; a request that gets no 200 answer is a failed one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered = 0
        self.failed = 0
        self.last_error = ""
        self.releases: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def version(self) -> str:
        """Give the release id that the service answers."""
        return str(self._get("/version")["release"])

    def _get(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def _ask(self) -> None:
        body = json.dumps({"rows": [story.FLIGHT]})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._stop.is_set():
            try:
                self.releases[predict(connection, body)] += 1
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed += 1
                self.last_error = f"{type(error).__name__}: {error}"
                connection.close()
            time.sleep(PAUSE)
        connection.close()
