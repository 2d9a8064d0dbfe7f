"""A real Kubernetes cluster of one node for the tests, on this machine: the tests' own, and gone when they end."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.tooling import forward
from tests.tooling.docker import Docker, Unavailable, install
from tests.tooling.kubernetes_build import HOME, PAUSE_IMAGE, pause, programs
from tests.tooling.node import PLUGINS, Node, node
from tools.need import Missing
from tools.ports import free_ports

FOLDER = HOME / "run"
PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    f"{PLUGINS}/bridge": "containernetworking-plugins",
    "kubectl": "kubernetes-client",
    "ip": "iproute2",
    "openssl": "openssl",
}
"""By the program that is needed: Debian's package that has it."""
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: tests, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: "{authority}"}}}}]
users: [{{name: tests, user: {{token: "{token}"}}}}]
contexts: [{{name: tests, context: {{cluster: tests, user: tests}}}}]
current-context: tests
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One that runs. `kubeconfig` is the file by which kubectl and Terraform's provider reach it, as its administrator."""

    kubeconfig: Path
    docker: Docker
    api: forward.Api
    node: Node

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, seconds: float = 300) -> str:
        """Give what kubectl prints; a failure says what it said."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(command[3:6])} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def load(self, image: str, repository: str = "registry.example.test/model") -> str:
        """Let pods run an image of the Docker engine, without a registry.

        Args:
            image: its name or id.
            repository: the name that it gets on the node, as if it had been pulled from there.

        Returns:
            By what pods ask for it: `repository@sha256:…`.
        """
        archive = self.node.folder / "image.tar"
        name = f"mergeline-tests/loaded:{secrets.token_hex(8)}"
        self.docker.run("tag", image, name)  # an archive of an id would have no name, and is not imported
        try:
            self.docker.run("save", "--output", archive, name)
            self.node.images("import", archive)
        finally:
            archive.unlink(missing_ok=True)
            self.docker.run("rmi", name)
        listed = self.node.images("list", f"name==docker.io/{name}").splitlines()[1].split()
        digest = next(word for word in listed if word.startswith("sha256:"))
        found = f"{repository}@{digest}"
        self.node.images("tag", "--force", f"docker.io/{name}", found)
        self.node.images("remove", f"docker.io/{name}")
        return found

    def pod_addresses(self, selector: str, namespace: str = "default") -> list[str]:
        """Give the addresses of the pods that are ready and not about to end, by labels."""
        pods = json.loads(self.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json"))["items"]
        return [
            str(pod["status"]["podIP"])
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and {"Ready": "True"}.items()
            <= {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}.items()
        ]

    def service(self, namespace: str, name: str, lag: float = 0) -> AbstractContextManager[int]:
        """Give a port of this machine on which a Service answers, as kube-proxy would let it.

        Args:
            namespace: the Service's.
            name: the Service's.
            lag: the seconds after which a change of its endpoints is known; in a large cluster there are some.
        """
        return forward.service(self.api, namespace, name, lag)


@contextmanager
def cluster(docker: Docker) -> Iterator[Cluster]:
    """Give a cluster whose node is ready, for as long as the block runs. Raises Unavailable."""
    install(PACKAGES.values(), PACKAGES)
    try:
        found, archive = programs(), pause(docker)
    except Missing as reason:
        raise Unavailable(str(reason)) from reason
    if not shutil.which("unshare"):
        raise Unavailable("there is no unshare, which keeps a cluster apart from the machine")
    with node(FOLDER) as it:
        made = _control_plane(it, found, docker)
        it.run_containers(PAUSE_IMAGE)
        it.images("import", archive)
        it.run_kubelet(found / "kubelet", made.kubeconfig)
        it.wait("kubelet", lambda: _says(made, "True", "node/node", "{.status.conditions[?(@.type=='Ready')].status}"))
        it.wait("controllers", lambda: _says(made, "default", "serviceaccount/default", "{.metadata.name}"))
        yield made


def _control_plane(it: Node, found: Path, docker: Docker) -> Cluster:
    """Start what holds and tends the cluster's state; give it when it answers."""
    keys = it.folder / "keys"
    keys.mkdir()
    for command in (
        ["genrsa", "-out", "accounts.key", "2048"],
        ["rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub"],
    ):
        subprocess.run(["openssl", *command], cwd=keys, capture_output=True, check=True)
    store, peer, port = free_ports(3)
    url, peers = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peer}"
    listens = ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers]
    alone = ["--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"]
    it.start("etcd", "etcd", "--data-dir", it.folder / "etcd", *listens, *alone)
    api = forward.Api(port, secrets.token_hex(16), keys / "apiserver.crt")
    (keys / "tokens.csv").write_text(f'{api.token},tests,1,"system:masters"\n')
    it.start(
        "apiserver",
        found / "kube-apiserver",
        f"--etcd-servers={url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={keys}",
        "--service-cluster-ip-range=10.96.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys}/accounts.pub",
        f"--service-account-signing-key-file={keys}/accounts.key",
        f"--token-auth-file={keys}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--endpoint-reconciler-type=none",
        "--kubelet-preferred-address-types=InternalIP",
    )
    kubeconfig = it.folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(port=port, authority=api.authority, token=api.token))
    made = Cluster(kubeconfig, docker, api, it)
    it.wait("apiserver", lambda: api.authority.exists() and _tells(made, "get", "--raw", "/readyz") == "ok")
    for name, settings in (
        (
            "controller-manager",
            [f"--service-account-private-key-file={keys}/accounts.key", f"--root-ca-file={api.authority}"],
        ),
        ("scheduler", []),
    ):
        own = [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        it.start(name, found / f"kube-{name}", *own, *settings)
    return made


def _tells(it: Cluster, *arguments: str) -> str:
    """Give what kubectl prints, "" where it fails."""
    try:
        return it.kubectl(*arguments).strip()
    except RuntimeError:
        return ""


def _says(it: Cluster, value: str, name: str, path: str) -> bool:
    return _tells(it, "get", name, "-o", f"jsonpath={path}") == value
