"""Wait until the servers of a Kubernetes Deployment are ready: what the Terraform module `kubernetes` calls.

    python -m mergeline.release.rollout

Takes CONTEXT (may be empty), NAMESPACE, ENVIRONMENT and SLOT (the labels of its pods), MADE (the label of the new ones),
LEAST and MOST (how many there may be) and READY_SECONDS (that a server may take) from its environment. The Deployment's name
is ENVIRONMENT-SLOT.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import repo
from ..errors import DeploymentFailed, MergelineError

ENDING_SECONDS = 120
"""That an old server may take to end: its own limit (terminationGracePeriodSeconds), and some."""


def kubectl(context: str | None, *arguments: str) -> str:
    """Give what kubectl prints. Raises ToolMissing, DeploymentFailed."""
    return repo.run(
        ["kubectl", *(["--context", context] if context else []), *arguments], Path.cwd(), failure=DeploymentFailed
    )


def listed(context: str | None, namespace: str, kind: str, labels: str) -> list[dict[str, Any]]:
    """Give the objects of a kind by labels. Raises ToolMissing, DeploymentFailed."""
    said = kubectl(context, "get", kind, "--namespace", namespace, "--selector", labels, "--output", "json")
    found: list[dict[str, Any]] = json.loads(said)["items"]
    return found


def run(given: Mapping[str, str]) -> None:
    """Give the Deployment as many servers as the ones before it have, and wait until they alone are there.

    Raises:
        ToolMissing: there is no kubectl.
        DeploymentFailed: a new server does not become ready; the message says why.
    """
    context, namespace, environment, slot = (given[name] for name in ("CONTEXT", "NAMESPACE", "ENVIRONMENT", "SLOT"))
    name, pods = f"{environment}-{slot}", f"mergeline.environment={environment},mergeline.servers={slot}"
    has = {
        one["metadata"]["name"]: int(one["spec"]["replicas"])
        for one in listed(context, namespace, "deployments", f"mergeline.environment={environment}")
    }
    wanted = min(max([int(given["LEAST"]), *has.values()]), int(given["MOST"]))
    if has.get(name, 0) < wanted:
        kubectl(context, "scale", "--namespace", namespace, f"deployment/{name}", f"--replicas={wanted}")
    try:
        waiting = f"--timeout={int(given['READY_SECONDS']) + 30}s"  # the Deployment's own deadline comes first
        kubectl(context, "rollout", "status", "--namespace", namespace, f"deployment/{name}", waiting)
    except DeploymentFailed as error:
        found = listed(context, namespace, "pods", f"{pods},mergeline.made={given['MADE']}")
        why = next(filter(None, map(_trouble, found)), error.args[0])
        raise DeploymentFailed(f"the new servers are not ready: {why}") from error
    old = f"{pods},mergeline.made!={given['MADE']}"
    waiting = f"--timeout={ENDING_SECONDS}s"
    if listed(context, namespace, "pods", old):
        kubectl(context, "wait", "--namespace", namespace, "--for=delete", "pods", "--selector", old, waiting)


def _trouble(pod: dict[str, Any]) -> str:
    """Say why a pod is not ready; nothing where it is."""
    status = pod["status"]
    states = [(one.get("lastState", {}) | one["state"], one["ready"]) for one in status.get("containerStatuses", [])]
    for state, ready in states:
        for kind in ("waiting", "terminated"):
            if not ready and kind in state:
                words = (state[kind].get("reason"), state[kind].get("message"))
                return " ".join(": ".join(filter(None, words)).split())[:200]
        if not ready:
            return f"{pod['metadata']['name']} runs, and does not say that it is ready"
    unplaced = [one.get("message", "") for one in status.get("conditions", []) if one.get("reason") == "Unschedulable"]
    return " ".join(unplaced)[:200]


if __name__ == "__main__":
    try:
        run(os.environ)
    except MergelineError as error:
        sys.stderr.write(f"error {error}\n")
        sys.exit(error.code)
