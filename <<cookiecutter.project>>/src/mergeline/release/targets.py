"""The targets: what each writes into target.tf, which image it runs, and what is there before an environment moves to it.

Nothing else knows that there are several, but for what Terraform cannot see: see `terraform`, `engine` and `cluster`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Integrity, Usage
from . import cluster, engine, pins, target_file, terraform
from .manifest import Release

MODULES = "infra/modules/service"


@dataclass(frozen=True)
class Image:
    """What a release's image must look like; `lacks` and `remedy` are for one that does not."""

    pattern: re.Pattern[str]
    lacks: str
    remedy: str


@dataclass(frozen=True)
class Target:
    """One way to run an environment.

    `provider` is what stands before the module in target.tf, `given` names the inputs that only this target has, taken
    from the variable of its own name. `state` is the file beside target.tf that says where Terraform's state is; `inputs`
    says what terraform.tfvars must hold; `ready` raises what is missing here, `prepare` makes way for an apply,
    `tidy` removes after it what nobody knows any more. `lost` gives the outputs of what runs though Terraform's state is
    gone, empty where that is nothing, and `recover` brings such a state back where applying alone would not.
    """

    source: str = ""
    version: str = ""
    backend: str = """\
  # `model deploy` gives the path: outside the working copy, which a checkout cleans.
  backend "local" {{}}"""
    provider: str = ""
    given: Sequence[str] = ()
    image: Image | None = None
    state: tuple[str, str] | None = None
    inputs: str = ""
    ready: Callable[[Path, str], None] = lambda *_: None
    prepare: Callable[[Path, str], None] = lambda *_: None
    tidy: Callable[[Path, str], None] = lambda *_: None
    lost: Callable[[Path, str], dict[str, Any]] = lambda *_: {}
    recover: Callable[[Path, str], None] = lambda *_: None
    here: bool = False
    """Whether terraform.tfvars names a port of this machine."""


ANY_IMAGE = Image(
    re.compile(r".+"),
    "has no image",
    "Run `make image`, then `model release build --image ID` (`docker image inspect --format {{.Id}} NAME` gives it); "
    "on GitHub set the variable REGISTRY.",
)
OF_A_REGISTRY = Image(
    re.compile(r"[^@ ]+@sha256:[0-9a-f]{64}"),
    "has no image in a registry",
    "Set the variable REGISTRY on GitHub, and pin a release that has REPOSITORY@sha256:... as its image.",
)

TARGETS = {
    "local": Target(lost=terraform.supervised, here=True),
    "docker": Target(
        source="kreuzwerker/docker",
        version="4.6.0",
        provider="""
# The engine is the one that DOCKER_HOST names, else this machine's.
provider "docker" {}
""",
        image=ANY_IMAGE,
        ready=lambda root, _: engine.need_engine(root),
        prepare=engine.prepare,
        tidy=engine.keep,
        lost=engine.lost,
        recover=engine.recover,
        here=True,
    ),
    "kubernetes": Target(
        source="gavinbunney/kubectl",
        version="1.19.0",
        backend="""\
  # A Secret in the cluster, locked by a Lease. state.kubernetes.tfbackend beside this file may name another namespace.
  backend "kubernetes" {{
    secret_suffix = "{name}-{environment}"
    namespace     = "default"
  }}""",
        provider=target_file.KUBERNETES,
        given=re.findall(r"^    (\w+) += optional", target_file.KUBERNETES, re.MULTILINE),
        image=OF_A_REGISTRY,
        inputs="{ address = ..., ... }",
        ready=cluster.need_cluster,
        prepare=cluster.prepare,
        tidy=cluster.tidy,
        lost=cluster.lost,
    ),
    "aws": Target(
        source="hashicorp/aws",
        version="5.100.0",
        backend="""\
  # state.s3.tfbackend beside this file names the bucket and its region: Terraform takes no variable here either.
  backend "s3" {{
    key          = "{name}/{environment}.tfstate"
    encrypt      = true
    use_lockfile = true
  }}""",
        provider=target_file.AWS,
        given=[
            name
            for name in re.findall(r"^    (\w+) += ", target_file.AWS, re.MULTILINE)
            if name not in ("region", "tags")
        ],
        image=OF_A_REGISTRY,
        state=("state.s3.tfbackend", 'bucket = "..." and region = "..." of an S3 bucket for Terraform\'s state'),
        inputs="{ region, vpc_id, ... }",
    ),
}


def written(name: str, environment: str, target: str) -> str:
    """Give the text of target.tf."""
    one = TARGETS[target]
    local_name = one.source.rpartition("/")[2]
    wide = max(map(len, one.given), default=0)
    return target_file.WHOLE.format(
        name=name,
        environment=environment,
        target=target,
        required=one.source
        and target_file.REQUIRED.format(provider=local_name, source=one.source, version=one.version),
        backend=one.backend.format(name=name, environment=environment),
        provider=one.provider,
        given="".join(["\n" if one.given else "", *(f"  {n.ljust(wide)} = var.{target}.{n}\n" for n in one.given)]),
    )


def need_image(target: str | None, environment: str, release: Release) -> None:
    """Refuse a release that an environment of this target cannot run. Raises Usage."""
    wanted = TARGETS[target].image if target in TARGETS else None
    if wanted is not None and not wanted.pattern.fullmatch(release.image or ""):
        raise Usage(f"release {release.id[:12]} {wanted.lacks}, and {environment} runs on {target}", wanted.remedy)


def need(root: Path, environment: str, target: str, releases: Sequence[Release]) -> None:
    """Refuse a move to a target that could not end well, before anything is destroyed.

    Raises:
        Usage: a file or an input is missing, or one of the releases has no image that the target runs.
        ToolMissing, DeploymentFailed: what the target runs on does not answer.
    """
    one, folder = TARGETS[target], pins.FOLDER + "/" + environment
    if one.state and not (root / folder / one.state[0]).is_file():
        raise Usage(f"{folder}/{one.state[0]} is missing", f"Write it: {one.state[1]}.")
    given = (root / folder / "terraform.tfvars").read_text(encoding="utf-8")
    if one.inputs and not re.search(rf"^{target}\s*=", given, re.MULTILINE):
        raise Usage(
            f"{folder}/terraform.tfvars says nothing of {target}",
            f"Add {target} = {one.inputs} as docs/runbook.md shows.",
        )
    for release in releases:
        need_image(target, environment, release)
    one.ready(root, environment)


def of(root: Path, environment: str) -> Target:
    """Give the target that an environment runs on. Raises Integrity where target.tf names none of ours."""
    found = terraform.target(root, environment)
    if found not in TARGETS:
        raise Integrity(f"{pins.FOLDER}/{environment}/target.tf names no module of {MODULES}")
    return TARGETS[found]
