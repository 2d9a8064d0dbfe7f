"""The Kubernetes cluster of an environment: what Terraform's provider does not look after."""

import os
import re
from pathlib import Path
from typing import Any

from .. import state
from ..errors import DeploymentFailed, MergelineError, Usage
from . import pins, rollout, smoke, terraform

KINDS = "deployments,horizontalpodautoscalers"


def need_cluster(root: Path, environment: str) -> None:
    """Refuse where there is no cluster. Raises Usage, ToolMissing, DeploymentFailed."""
    if os.pathsep in terraform.kubeconfig():
        raise Usage(
            "KUBECONFIG names several files, and Terraform's provider reads one",
            "`kubectl config view --flatten` makes one of them.",
        )
    try:
        rollout.kubectl(
            terraform.given(root, environment, "kubernetes", "context"),
            "get",
            "--raw",
            "/version",
            "--request-timeout=10s",
        )
    except DeploymentFailed as error:
        raise DeploymentFailed(
            f"no cluster answers: {error.args[0]}",
            f"Name its file in KUBECONFIG, and its context in {pins.FOLDER}/{environment}/terraform.tfvars.",
        ) from error


def prepare(root: Path, environment: str) -> None:
    """Make way for an apply: servers that a hand took away altogether are asked for again.

    Nothing else would: their number is the autoscaler's, and that one leaves zero alone.

    Raises:
        ToolMissing, DeploymentFailed: there is no kubectl, or no cluster.
    """
    need_cluster(root, environment)
    context, namespace = terraform.given(root, environment, "kubernetes", "context"), _namespace(root, environment)
    for one in rollout.listed(context, namespace, "deployments", label(root, environment)):
        if one["spec"]["replicas"] == 0:
            name = f"deployment/{one['metadata']['name']}"
            rollout.kubectl(context, "scale", "--namespace", namespace, name, "--replicas=1")


def tidy(root: Path, environment: str) -> None:
    """Remove what an apply that was killed has made, and neither Terraform's state nor the Service knows.

    Raises:
        DeploymentFailed: Terraform or the cluster does not answer.
    """
    context, namespace = terraform.given(root, environment, "kubernetes", "context"), _namespace(root, environment)
    of_ours = label(root, environment)
    found = {
        one["metadata"]["labels"]["mergeline.servers"] for one in rollout.listed(context, namespace, KINDS, of_ours)
    }
    if len(found) < 2:
        return
    known = set(re.findall(r'kubectl_manifest\.deployment\["(\w+)"\]', terraform.resources(root, environment)))
    services = rollout.listed(context, namespace, "services", of_ours)
    led_to = {one["spec"]["selector"]["mergeline.servers"] for one in services}
    for slot in sorted(found - known - led_to):
        of_slot = f"{of_ours},mergeline.servers={slot}"
        rollout.kubectl(context, "delete", KINDS, "--namespace", namespace, "--selector", of_slot)


def lost(root: Path, environment: str) -> dict[str, Any]:
    """Give the outputs of an environment that answers at its address though its state is gone; else nothing."""
    context, namespace = terraform.given(root, environment, "kubernetes", "context"), _namespace(root, environment)
    url = terraform.given(root, environment, "kubernetes", "address")
    try:
        if url and rollout.listed(context, namespace, "services", label(root, environment)):
            return {"url": url, "release_id": smoke.version(url).get("release")}
    except MergelineError:
        return {}
    return {}


def label(root: Path, environment: str) -> str:
    """Give what the module labels everything of an environment with."""
    return f"mergeline.environment={state.project(root)}-{environment}"


def _namespace(root: Path, environment: str) -> str:
    return terraform.given(root, environment, "kubernetes", "namespace") or f"{state.project(root)}-{environment}"
