"""What a deployment would change: shown on the pull request that moves the pin, and planned again before it is applied."""

import re
from pathlib import Path

import msgspec

from .. import forge, repo
from ..errors import Conflict, Integrity, Usage
from ..forge import event
from . import ledger, pins, planned, records, terraform
from .planned import Plan

MODULES = "infra/modules"
MOST_BYTES = 200_000
SHOWN = re.compile(r"^Digest `([0-9a-f]{16})`$", re.MULTILINE)


def run(root: Path, environment: str, *, lock: bool = True) -> Plan:
    """Show what `deploy.run` would change; without `lock` it writes nothing where the state is.

    Raises:
        Integrity, RepositoryTrouble: the pin, see `pins.committed`.
        DeploymentFailed: Terraform's own error.
    """
    pins.committed(root, environment)
    terraform.init(root, environment)
    return _make(root, environment, lock=lock)


def keep(root: Path, since: str, to: Path) -> list[Plan]:
    """Write the plan of each environment that changed since a commit into a folder. Step output: `planned`.

    Nothing is locked: a role that only reads can do it, and no deployment waits for it.

    Args:
        root: the project's folder.
        since: a commit.
        to: gets a file for each, made where it is not there.
    """
    to.mkdir(parents=True, exist_ok=True)
    made = [run(root, name, lock=False) for name in pins.environments(root) if _changed(root, name, since)]
    for one in made:
        (to / f"{one.environment}.json").write_bytes(msgspec.json.encode(one))
    event.tell(planned=str(bool(made)).lower())
    return made


def post(root: Path, folder: Path) -> list[str]:
    """Post or update the comment of each plan that `keep` wrote, on the pull request of this run; give their URLs.

    The files come from a run of the pull request's Terraform: what they hold is checked, and drawn here.

    Raises:
        Usage: this run is of no pull request, or there is no forge.
        Integrity: a file holds no plan of an environment of this repository.
        ForgeTrouble: the forge does not answer.
    """
    connected, run_of = forge.connect(root), event.pull_request()
    if connected is None or run_of is None:
        raise Usage("there is no pull request to comment on", "`model plan ENV` shows a plan here.")
    plans = [_read(path, pins.environments(root)) for path in sorted(folder.glob("*.json"))]
    return [connected.comment(run_of.number, _marker(plan.environment), plan.markdown()) for plan in plans]


def asked_by(root: Path, environment: str) -> str:
    """Give the commit of this branch, often a merge, that last changed what an environment is made of."""
    return repo.git(root, "log", "-1", "--first-parent", "--format=%H", "--", *_parts(environment))


def check(root: Path, environment: str, accepted: str | None) -> str:
    """Plan again, and refuse when the pull request that asks for this deployment shows another plan.

    Nothing is compared where no forge is connected, where no pull request or none with a plan asks for it, and where
    it was deployed before: then this repairs what runs. `terraform.init` ran before.

    Args:
        root: the project's folder.
        environment: which.
        accepted: a digest that somebody read in `model plan`, and wants applied whatever the pull request shows.

    Returns:
        What was compared, or why nothing was.

    Raises:
        Conflict: the digests differ: something moved since the plan was read.
        ForgeTrouble: the forge is connected and does not answer.
    """
    connected = forge.connect(root)
    if connected is None:
        return "plan not compared: no forge is connected"
    commit = asked_by(root, environment)
    record = records.last(root, commit, environment)
    if record is not None and record.state == "success":
        return f"plan not compared: {commit[:12]} was deployed before"
    request = connected.pull_request_of(commit)
    if request is None:
        return f"plan not compared: {commit[:12]} came by no pull request"
    shown = SHOWN.search(connected.commented(request.number, _marker(environment)) or "")
    if shown is None:
        return f"plan not compared: pull request #{request.number} shows no plan of {environment}"
    digest = _make(root, environment).digest[:16]
    if digest == shown[1]:
        return f"as planned in pull request #{request.number}"
    if digest == accepted:
        return f"as planned now (digest {digest}), not as in pull request #{request.number}"
    raise Conflict(
        f"{environment}: pull request #{request.number} shows the plan {shown[1]}, and by now it is {digest}; "
        "nothing was applied",
        f"Read `model plan {environment}`; `model deploy {environment} --digest {digest}` applies that one.",
    )


def _make(root: Path, environment: str, *, lock: bool = True) -> Plan:
    release = pins.committed(root, environment).release
    before = terraform.outputs(root, environment)
    found = terraform.plan(root, environment, replace=terraform.dead(root, environment), lock=lock)
    return Plan(
        environment=environment,
        running=before.get("release_id"),
        pinned=release.id if release else None,
        verdict=ledger.verdict_words(release) if release else None,
        actions=found.actions,
        size_before=planned.size(before),
        size=planned.size(found.outputs),
    )


def _changed(root: Path, environment: str, since: str) -> bool:
    return bool(repo.git(root, "diff", "--name-only", since, "HEAD", "--", *_parts(environment)))


def _parts(environment: str) -> tuple[str, str]:
    return f"{pins.FOLDER}/{environment}", MODULES


def _read(path: Path, known: list[str]) -> Plan:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
        if plan.environment not in known:
            raise ValueError(f"there is no environment {plan.environment}")
    except (ValueError, OSError) as error:
        raise Integrity(
            f"{path.name} holds no plan: {error}", "`model plan --since REV --to FOLDER` makes one."
        ) from error
    return plan


def _marker(environment: str) -> str:
    return f"plan-{environment}"
