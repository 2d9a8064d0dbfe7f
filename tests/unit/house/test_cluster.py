"""The cluster that tests run on: what they build on it, and that nothing of it stays on the machine."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tooling.docker import Docker, Unavailable, base_image, engine
from tests.tooling.forward import Api, Forwarder
from tests.tooling.kubernetes import FOLDER, Cluster, cluster
from tests.tooling.node import BRIDGE, GROUP
from tests.tools import until, without
from tools.need import HERE

SERVED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: pages}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: pages}}}}
  template:
    metadata: {{labels: {{app: pages}}}}
    spec:
      containers:
        - name: pages
          image: "{image}"
          command: [sh, -c, "cd /tmp && hostname > index.html && exec python3 -m http.server 8080"]
          readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: pages}}
spec:
  selector: {{app: pages}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
KILLED = """\
import sys, time
from tests.tooling.docker import Docker, base_image
from tests.tooling.kubernetes import cluster
from tests.unit.house.test_cluster import serve
docker = Docker(sys.argv[1] or None)
with cluster(docker) as it:
    serve(it, docker)
    print("it runs", flush=True)
    time.sleep(600)
"""


def serve(it: Cluster, docker: Docker) -> None:
    """Run two pods of the base image that say their names, behind a Service."""
    it.kubectl("apply", "--filename", "-", stdin=SERVED.format(image=it.load(base_image(docker))))
    it.kubectl("rollout", "status", "deployment/pages", "--timeout=120s")


def said(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode().strip())


def ends_at_once(port: int) -> bool:
    """Tell whether a connection ends without an answer, as where no pod is ready."""
    try:
        said(port)
    except OSError:
        return True
    return False


def left() -> list[str]:
    """Name what is on this machine of a cluster: processes, mounts, control groups, interfaces, files."""
    commands = {path: _read(path / "cmdline") for path in Path("/proc").glob("[0-9]*")}
    found = [f"process {path.name}: {said}" for path, said in commands.items() if str(FOLDER) in said]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(FOLDER) in line]
    places = [*Path("/sys/fs/cgroup").glob(GROUP), *Path("/sys/fs/cgroup").glob(f"*/{GROUP}")]
    places += [Path("/sys/class/net") / BRIDGE, FOLDER]
    return found + [str(place) for place in places if place.exists()]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended since it was listed
        return ""


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    try:
        with engine() as found:
            yield found
    except Unavailable as reason:
        without(str(reason))


@pytest.mark.slow
def test_pods_of_an_image_that_no_registry_has_answer_through_their_service(docker: Docker) -> None:
    try:
        with cluster(docker) as it:
            serve(it, docker)
            with it.service("default", "pages") as port:
                names = {said(port) for _ in range(4)}
                assert len(names) == len(it.pod_addresses("app=pages")) == 2
                assert all(f"pod/{name}" in it.kubectl("get", "pods", "--output", "name") for name in names)
                assert "GET / HTTP/1.1" in it.kubectl("logs", "deployment/pages")

                it.kubectl("scale", "deployment/pages", "--replicas=0")

                until(lambda: ends_at_once(port))
    except Unavailable as reason:
        without(str(reason))
    assert left() == []


@pytest.mark.slow
def test_a_cluster_whose_tests_were_killed_is_gone_and_the_next_one_starts(docker: Docker) -> None:
    command = [sys.executable, "-c", KILLED, docker.host or ""]
    with subprocess.Popen(
        command, cwd=HERE, env={**os.environ, "PYTHONPATH": str(HERE)}, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout
        if not run.stdout.readline():
            without("no cluster starts")
        assert left()
        run.send_signal(signal.SIGKILL)
    until(lambda: not [line for line in left() if line.startswith("process")])

    with cluster(docker) as it:
        assert it.pod_addresses("app=pages") == []

    assert left() == []


def test_connections_are_led_to_endpoints_that_are_ready_and_do_not_end() -> None:
    def endpoint(address: str, **conditions: bool) -> dict[str, object]:
        return {"addresses": [address], "conditions": conditions}

    async def led(kind: str) -> dict[str, list[tuple[str, int]]]:
        endpoints = [
            endpoint("10.0.0.1", ready=True),
            endpoint("10.0.0.2", ready=False),
            endpoint("10.0.0.3", ready=True, terminating=True),
        ]
        it = Forwarder(Api(0, "", Path()), "", 0)
        said = {"metadata": {"name": "pages-1"}, "ports": [{"port": 8080}], "endpoints": endpoints}
        it.change({"type": kind, "object": said})
        return it.slices

    assert asyncio.run(led("ADDED")) == {"pages-1": [("10.0.0.1", 8080)]}
    assert asyncio.run(led("DELETED")) == {"pages-1": []}
