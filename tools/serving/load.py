"""Load on a server: a closed loop by wrk, and an open loop that sends at a fixed rate whatever comes back."""

import asyncio
import json
import subprocess
import tempfile
import time
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
OPEN_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop measured; latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float


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
    heads = [
        f"POST {server.contender.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for body in bodies
    ]
    begun = time.perf_counter()
    found = sorted(asyncio.run(_open(server, heads, rate, max(20, round(rate * seconds)))))
    took = time.perf_counter() - begun
    return Loop(len(found) / took, found[len(found) // 2] * 1e3, found[int(len(found) * 0.99)] * 1e3)


async def _open(server: Running, requests: Sequence[bytes], rate: float, count: int) -> list[float]:
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(OPEN_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", server.port))
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def one(number: int) -> float:
        due = begun + number / rate
        await asyncio.sleep(due - loop.time())
        reader, writer = await idle.get()
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise Stopped(f"{server.contender.name} failed in the open loop: {head[:80]!r}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        idle.put_nowait((reader, writer))
        return loop.time() - due

    try:
        return await asyncio.gather(*(one(number) for number in range(count)))
    finally:
        while not idle.empty():
            idle.get_nowait()[1].close()
