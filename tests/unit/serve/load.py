"""Keeps a server busy from several connections and counts what fails."""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

BODY = b'{"distance": 100, "minutes": 30, "carrier": "UA"}'
REQUEST = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


@dataclass
class Load:
    """Half of the clients keep their connection as long as the server lets them, half open one a request."""

    port: int
    clients: int = 8
    releases: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(keep=i % 2 == 0) for i in range(self.clients)))

    async def _one(self, *, keep: bool) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._stop.is_set():
            try:
                reader, writer = streams or await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(REQUEST)
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = msgspec.json.decode(await reader.readexactly(length))
                if b" 200 " not in head.split(b"\r\n")[0]:
                    self.failures.append(repr(head))
                else:
                    self.releases[answer["release"]] += 1
                streams = (reader, writer) if keep and b"connection: close" not in head else None
                if streams is None:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures.append(repr(error))
                streams = None
        if streams:
            streams[1].close()
