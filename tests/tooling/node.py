"""A node of a Kubernetes cluster for the tests, in process and mount namespaces of its own: they take all with them.

The first process of the namespaces reads commands from the pipe that the tests hold. Where the tests end, however they
do, the pipe closes, that process ends, and the kernel stops every other one of the cluster and of its pods, and undoes
every mount. What the kernel keeps, a bridge and control groups, is removed afterwards, or before the next start.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.tooling.docker import Unavailable

BRIDGE = "mergeline0"
GROUP = "mergeline-tests"
ADDRESS = "198.18.244.1"
"""The node's, on the bridge: of a range that is set aside for tests of networks, as are those of the pods."""
PODS = "198.18.244.0/24"
PLUGINS = Path("/usr/lib/cni")
FIRST = """\
set -e
for folder in /run /var/log /var/lib/cni; do
  mkdir -p $folder
  mount -t tmpfs none $folder
done
mkdir values
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
  kernel/keys/root_maxbytes; do
  cat /proc/sys/$name > values/${name##*/}
  mount --bind values/${name##*/} /proc/sys/$name
done
set +e
while IFS= read -r command; do eval "$command"; done
"""
"""Hides what would be written outside the folder: sockets, logs, leases, and the kernel's settings, which kubelet sets."""
RUNTIME = """\
version = 2
root = "{folder}/images"
state = "{folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/{pause}"
  disable_tcp_service = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
NETWORK = """\
{{"cniVersion": "0.4.0", "name": "mergeline", "plugins": [
  {{"type": "bridge", "bridge": "{bridge}", "isGateway": true,
    "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{pods}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"""
KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {address}
readOnlyPort: 0
healthzPort: 0
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
cgroupDriver: cgroupfs
cgroupRoot: /{group}
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
containerRuntimeEndpoint: unix://{folder}/c.sock
resolvConf: /etc/resolv.conf
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 10Mi}}
localStorageCapacityIsolation: false
volumePluginDir: {folder}/plugins
"""


@dataclass(frozen=True, slots=True)
class Node:
    """Namespaces in which programs run, and the folder of all that they write."""

    folder: Path
    orders: IO[str]

    def start(self, name: str, *command: str | Path, again: bool = False) -> None:
        """Start a program, and start it `again` whenever it ends; what it says goes to NAME.log."""
        line = shlex.join(map(str, command))
        if again:
            line = f"(while :; do {line}; sleep 1; done)"
        self.orders.write(f"{line} < /dev/null > {name}.log 2>&1 &\n")
        self.orders.flush()

    def wait(self, name: str, ready: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until a program answers. Raises Unavailable with the last that it said."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                log = self.folder / f"{name}.log"
                said = log.read_text()[-1500:] if log.exists() else "it was not started"
                raise Unavailable(f"{name} does not get ready: {said}")
            time.sleep(0.1)

    def images(self, *arguments: str | Path) -> str:
        """Run `ctr images` on what kubelet sees."""
        command = ["ctr", "--address", self.folder / "c.sock", "--namespace", "k8s.io", "images", *arguments]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"ctr images {arguments[0]} failed: {done.stderr[-1000:]}")
        return done.stdout

    def run_containers(self, pause: str) -> None:
        """Start containerd, which makes pods and their network. Raises Unavailable."""
        _tell("ip", "link", "add", BRIDGE, "type", "bridge")
        _tell("ip", "address", "add", f"{ADDRESS}/24", "dev", BRIDGE)
        _tell("ip", "link", "set", BRIDGE, "up")
        (self.folder / "cni").mkdir()
        (self.folder / "cni/10-bridge.conflist").write_text(NETWORK.format(bridge=BRIDGE, pods=PODS))
        settings = self.folder / "containerd.toml"
        settings.write_text(RUNTIME.format(folder=self.folder, pause=pause, plugins=PLUGINS))
        self.start("containerd", "containerd", "--config", settings)
        self.wait("containerd", (self.folder / "c.sock").exists)

    def run_kubelet(self, program: Path, kubeconfig: Path) -> None:
        """Start kubelet, which asks the cluster for pods to run."""
        for hierarchy in _hierarchies():
            (hierarchy / GROUP).mkdir(exist_ok=True)
        settings = self.folder / "kubelet.yaml"
        settings.write_text(KUBELET.format(folder=self.folder, address=ADDRESS, group=GROUP))
        own: list[str | Path] = [
            "--root-dir",
            self.folder / "kubelet",
            "--cert-dir",
            self.folder / "kubelet-certificates",
        ]
        named = ["--hostname-override", "node", "--node-ip", ADDRESS]
        self.start("kubelet", program, "--config", settings, "--kubeconfig", kubeconfig, *own, *named, again=True)


@contextmanager
def node(folder: Path) -> Iterator[Node]:
    """Give namespaces for as long as the block runs; the folder is emptied before and removed afterwards.

    A machine has one node at a time: another test run waits.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    apart = ["unshare", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]
    unproxied = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with folder.with_suffix(".lock").open("w") as lock:  # which every process of the node holds too
        fcntl.flock(lock, fcntl.LOCK_EX)
        clean(folder)
        folder.mkdir()
        try:
            with (
                (folder / "first.log").open("wb") as log,
                subprocess.Popen(
                    [*apart, "bash", "-c", FIRST],
                    cwd=folder,
                    env=unproxied,
                    pass_fds=[lock.fileno()],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    text=True,
                ) as first,
            ):
                assert first.stdin
                yield Node(folder, first.stdin)
        finally:
            clean(folder)


def clean(folder: Path, seconds: float = 20) -> None:
    """Remove what a node that has ended left."""
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        _tell("ip", "link", "delete", BRIDGE)
    deadline = time.monotonic() + seconds
    for group in (hierarchy / GROUP for hierarchy in _hierarchies()):
        while group.exists():
            try:
                for below in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                    below.rmdir()
                group.rmdir()
            except OSError as busy:  # until the kernel has taken the last process out
                if time.monotonic() > deadline:
                    raise Unavailable(f"a control group of an earlier cluster cannot be removed: {busy}") from busy
                time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


def _hierarchies() -> list[Path]:
    """Name the folders of control groups: one, or by the kernel's old interface one for each controller."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.procs").exists():
        return [root]
    return [path for path in root.iterdir() if (path / "cgroup.procs").exists()]


def _tell(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip()}")
