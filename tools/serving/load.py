"""Load on a server: a closed loop by wrk, and an open loop that sends at a fixed rate whatever comes back."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.need import Missing, find
from tools.serving.contenders import Running, Stopped, on

SCRIPT = """
local requests, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, {["Content-Type"] = "application/json"}, line)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  print(string.format('{"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "failed": %d}', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop measured; latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one request; `seconds` since it was due, `at` on the event loop's clock."""

    at: float
    seconds: float
    status: int
    head: bytes
    body: bytes


def wrk() -> Path:
    """Give wrk's path. Raises Stopped."""
    try:
        return find("wrk")
    except Missing as missing:
        raise Stopped(f"{missing}: install it with `apt-get install wrk` or `brew install wrk`") from missing


def closed(
    server: Running, bodies: Sequence[bytes], cores: frozenset[int], *, connections: int, seconds: float
) -> Loop:
    """Ask without pause on so many connections. Raises Stopped when a request failed."""
    with tempfile.TemporaryDirectory(prefix="mergeline-wrk-") as folder, on(cores):
        script, lines = Path(folder, "load.lua"), Path(folder, "bodies")
        script.write_text(SCRIPT, encoding="utf-8")
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        length = f"{max(1, round(seconds))}s"
        flags = ["--threads", "1", "--connections", str(connections), "--duration", length, "--timeout", "30s"]
        url = f"http://127.0.0.1:{server.port}{server.contender.path}"
        done = subprocess.run(
            [wrk(), *flags, "--script", script, url, "--", lines], capture_output=True, text=True, check=False
        )
    return parsed(done.stdout, server.contender.name)


def parsed(said: str, name: str) -> Loop:
    """Read what the script printed last. Raises Stopped."""
    last = said.strip().splitlines()[-1:] or [""]
    try:
        found = json.loads(last[0])
        loop = Loop(found["requests"] / found["microseconds"] * 1e6, found["p50"] / 1e3, found["p99"] / 1e3)
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise Stopped(f"wrk measured nothing against {name}: {last[0]!r:.200}") from None
    if found["failed"] or not found["requests"]:
        raise Stopped(f"{name} failed {found['failed']} of {found['requests']} requests: its figures would say nothing")
    return loop


def opened(server: Running, bodies: Sequence[bytes], *, rate: float, seconds: float) -> Loop:
    """Send at a fixed rate; a request's latency counts from when it was due, so that waiting counts. Raises Stopped."""
    found = steady(server.port, server.contender.path, bodies, rate=rate, seconds=seconds)
    if wrong := [one for one in found if one.status != 200]:
        raise Stopped(f"{server.contender.name} failed in the open loop: {wrong[0].status} {wrong[0].body[:80]!r}")
    return loop(found)


def loop(found: Sequence[Answer]) -> Loop:
    """Give rate and latencies of answers in the order of their arrival, at least one."""
    took = found[-1].at - found[0].at + found[0].seconds
    ordered = sorted(one.seconds for one in found)
    return Loop(len(found) / took, ordered[len(ordered) // 2] * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3)


def steady(
    port: int, path: str, bodies: Sequence[bytes], *, rate: float, seconds: float, connections: int = 16
) -> list[Answer]:
    """Send at a fixed rate, whatever comes back; give all answers in the order of their arrival."""
    requests = [
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for body in bodies
    ]
    return asyncio.run(_steady(port, requests, rate, max(20, round(rate * seconds)), connections))


async def _steady(port: int, requests: Sequence[bytes], rate: float, count: int, connections: int) -> list[Answer]:
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(connections):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    clock = asyncio.get_running_loop()
    begun = clock.time()
    found: list[Answer] = []

    async def one(number: int, due: float) -> None:
        reader, writer = await idle.get()
        writer.write(requests[number % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        idle.put_nowait((reader, writer))
        now = clock.time()
        found.append(Answer(now, now - due, int(head.split(b" ", 2)[1]), head, body))

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                due = begun + number / rate
                if (wait := due - clock.time()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(one(number, due))
    finally:
        while not idle.empty():
            idle.get_nowait()[1].close()
    return found
