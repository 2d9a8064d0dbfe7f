"""What kube-proxy does for one Service, on a port of this machine: lead connections to the pods that are ready."""

import asyncio
import json
import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINE = 1 << 24
"""The longest line that a watch may give, in bytes."""


@dataclass(frozen=True, slots=True)
class Api:
    """How a cluster's API is reached: its port on this machine, a token, and the file of its certificate authority."""

    port: int
    token: str
    authority: Path


class Forwarder:
    """Watches the Service's EndpointSlices, and joins each connection with one to an endpoint, in turn."""

    def __init__(self, api: Api, path: str, lag: float) -> None:
        self.api, self.path, self.lag = api, path, lag
        self.slices: dict[str, list[tuple[str, int]]] = {}
        self.heard = asyncio.Event()
        self.joined: set[asyncio.Task[Any]] = set()
        self.turn = 0

    def change(self, event: dict[str, Any]) -> None:
        """Take in what is said of one slice."""
        it = event["object"]
        if event["type"] == "ERROR":  # the server ends the watch
            return
        ports = [int(port["port"]) for port in it.get("ports") or []]
        addresses = [
            str(endpoint["addresses"][0])
            for endpoint in it.get("endpoints") or []
            if endpoint["conditions"].get("ready") and not endpoint["conditions"].get("terminating")
        ]
        gone = event["type"] == "DELETED"
        self.slices[it["metadata"]["name"]] = [] if gone else [(address, ports[0]) for address in addresses]
        self.heard.set()

    async def watch(self) -> None:
        """Hear of each slice and then of each change; a watch that ends is begun again."""
        trusted = ssl.create_default_context(cafile=str(self.api.authority))
        # By the old version of the protocol, an answer is its lines until the connection ends.
        # Debian's etcd is too old for a watch that names no version to start from.
        asked = f"GET {self.path}&watch=1&resourceVersion=0 HTTP/1.0\r\nAuthorization: Bearer {self.api.token}\r\n\r\n"
        while True:
            with suppress(OSError, EOFError):
                answers, to = await asyncio.open_connection("127.0.0.1", self.api.port, ssl=trusted, limit=LINE)
                try:
                    to.write(asked.encode())
                    await answers.readuntil(b"\r\n\r\n")
                    while (line := await answers.readline()).endswith(b"\n"):
                        asyncio.get_running_loop().call_later(self.lag, self.change, json.loads(line))
                finally:
                    to.transport.abort()  # without the server's goodbye, for which nobody would wait
            await asyncio.sleep(0.2)

    async def join(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Lead a connection to an endpoint; where there is none it ends at once."""
        if task := asyncio.current_task():  # to which the loop itself keeps no reference
            self.joined.add(task)
            task.add_done_callback(self.joined.discard)
        endpoints = sorted(endpoint for found in self.slices.values() for endpoint in found)
        with suppress(OSError, asyncio.CancelledError):
            if endpoints:
                self.turn += 1
                pod, to_pod = await asyncio.open_connection(*endpoints[self.turn % len(endpoints)])
                try:
                    await asyncio.gather(carry(client, to_pod), carry(pod, to_client))
                finally:
                    to_pod.close()
        to_client.close()


async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    """Carry what is said in one direction until it ends."""
    while data := await source.read(65536):
        to.write(data)
        await to.drain()
    to.write_eof()


@contextmanager
def service(api: Api, namespace: str, name: str, lag: float = 0) -> Iterator[int]:
    """Give the port on which a Service answers for as long as the block runs."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    it = Forwarder(api, f"{path}?labelSelector=kubernetes.io/service-name%3D{name}", lag)
    ports: queue.SimpleQueue[int] = queue.SimpleQueue()
    over = threading.Event()

    async def serve() -> None:
        watch = asyncio.create_task(it.watch())
        with suppress(TimeoutError):
            await asyncio.wait_for(it.heard.wait(), 5 + lag)
        server = await asyncio.start_server(it.join, "127.0.0.1", 0, backlog=1024)
        ports.put(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(over.wait)
        server.close()
        ending = [watch, *it.joined]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.sleep(0.1)  # what is closed ends a step later

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield ports.get()
    finally:
        over.set()
        thread.join()
