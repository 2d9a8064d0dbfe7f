""".github/platform.json, which the organisation's platform writes, against this repository, its forge and AWS."""

import re
from collections.abc import Callable, Iterable, Iterator
from configparser import ConfigParser
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .. import config, forge
from ..errors import BadSettings, ForgeTrouble, RepositoryTrouble
from ..state import project
from .finding import Finding, fail, ok, warn

FILE = ".github/platform.json"
STATE = "infra/environments/{}/state.s3.tfbackend"
AGAIN = "Let those who keep the platform apply it, and write the file anew from its output."
SECONDS = 10
Name = Annotated[str, Meta(min_length=1)]


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the servers of an environment run."""

    vpc_id: Name
    load_balancer_subnet_ids: list[Name]
    server_subnet_ids: list[Name]
    access_log_bucket: Name


class Platform(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the platform made for one project; nothing of it is secret."""

    version: Literal[1]
    project: Name
    region: Name
    state_bucket: Name
    dvc_remote: Annotated[str, Meta(pattern="^s3://")]
    kms_key_arn: Name
    permissions_boundary_arn: Name
    network: Network
    environments: list[Name]
    variables: dict[str, str]

    def roles(self) -> dict[str, str]:
        """Give the ARN of each workflow's role. Raises BadSettings."""
        try:
            return msgspec.json.decode(self.variables.get("AWS_ROLES", "{}"), type=dict[str, str])
        except msgspec.DecodeError as error:
            raise BadSettings(f"{FILE}: variables.AWS_ROLES is no JSON of names and ARNs", AGAIN) from error


def named(root: Path) -> Platform | None:
    """Read the file; None where there is none. Raises BadSettings."""
    path = root / FILE
    if not path.is_file():
        return None
    try:
        found = config.parse(path.read_text(encoding="utf-8"), Platform, FILE)
    except BadSettings as error:
        raise BadSettings(error.args[0], AGAIN) from error
    if found.project != project(root):
        raise BadSettings(f"{FILE} is of {found.project}, and this is {project(root)}", AGAIN)
    return found


def platform(root: Path) -> Iterator[Finding]:
    """All that the file names: in this repository, on its forge, in AWS. Raises BadSettings."""
    wanted = named(root)
    if wanted is None:
        yield ok("platform", f"there is no {FILE}: this project uses none, or knows it by hand")
        return
    yield _remote(root, wanted)
    for name in wanted.environments:
        yield _environment(root, name, wanted)
    yield from _variables(root, wanted)
    yield from _cloud(wanted)


def apply(root: Path) -> Iterator[Finding]:
    """Set the forge's variables where they differ. Raises BadSettings, ForgeTrouble."""
    connected, wanted = forge.connect(root), named(root)
    if connected is None or wanted is None:
        return
    for name, value in wanted.variables.items():
        if connected.variable(name) == value:
            continue
        try:
            connected.set_variable(name, value)
        except ForgeTrouble as error:
            yield fail("refused", error)
        else:
            yield ok("set", f"the variable {name}, as {FILE} says")


def _variables(root: Path, wanted: Platform) -> Iterator[Finding]:
    connected = forge.connect(root)
    if connected is None:
        return
    for name, value in wanted.variables.items():
        try:
            found = connected.variable(name)
        except ForgeTrouble as error:
            yield warn("variables", f"not known: {error.args[0]}", "Ask with an administrator's token.")
            return
        if found == value:
            yield ok(name, f"as {FILE} says")
        else:
            said = "not set" if found is None else "set to something else"
            remedy = "`model doctor --apply` sets it, with an administrator's token."
            yield warn(name, f"{said}, and {FILE} names it", remedy)


def _cloud(wanted: Platform) -> Iterator[Finding]:
    """Ask AWS with the credentials of this machine; without any, one line says that nothing was asked."""
    from botocore.exceptions import BotoCoreError, ClientError

    for what, there, ask in _questions(wanted):
        try:
            ask()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code in ("404", "NoSuchBucket", "NoSuchEntity", "InvalidVpcID.NotFound"):
                yield fail(what, RepositoryTrouble(f"{there} is not in this account", AGAIN))
            else:
                yield warn(what, f"not known: AWS said {code}", "Ask with credentials that may look at it.")
        except BotoCoreError as error:
            line = " ".join(str(error).split())
            yield warn(
                what, f"not asked: {line:.160}", "Give this machine credentials (AWS_PROFILE), or ask elsewhere."
            )
            return
        else:
            yield ok(what, f"{there} is there")


def _questions(wanted: Platform) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Give what is asked for, how it is called, and what fails where it is not there."""
    from botocore.config import Config
    from botocore.session import get_session

    limits = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 2})
    session = get_session()

    s3, iam, ec2 = (
        session.create_client(name, region_name=wanted.region, config=limits) for name in ("s3", "iam", "ec2")
    )
    for what, bucket in (("states", wanted.state_bucket), ("data", wanted.dvc_remote.split("/")[2])):
        yield what, bucket, partial(s3.head_bucket, Bucket=bucket)
    for name, arn in wanted.roles().items():
        role = arn.rpartition("/")[2]
        yield f"role {name}", role, partial(iam.get_role, RoleName=role)
    vpc = wanted.network.vpc_id
    yield "network", vpc, partial(ec2.describe_vpcs, VpcIds=[vpc])


def _remote(root: Path, wanted: Platform) -> Finding:
    found = ConfigParser()
    found.read(root / ".dvc/config", encoding="utf-8")
    default = found.get("core", "remote", fallback=None)
    url = found.get(f"'remote \"{default}\"'", "url", fallback=None)
    if url and url.rstrip("/") == wanted.dvc_remote:
        return ok("data", f"DVC keeps it in {url}")
    has = f"DVC's remote is {url}" if url else "DVC has no remote"
    return warn(
        "data",
        f"{has}, and the platform keeps a place for it",
        f"Run `dvc remote add --default --force platform {wanted.dvc_remote}`, and commit .dvc/config.",
    )


def _environment(root: Path, name: str, wanted: Platform) -> Finding:
    """Compare an environment's files; one that runs elsewhere needs none."""
    target = root / "infra/environments" / name / "target.tf"
    if not target.is_file():
        return warn(name, f"the platform knows it, and there is no {target.relative_to(root).as_posix()}", AGAIN)
    state = root / STATE.format(name)
    if not state.is_file() and "service/aws" not in target.read_text(encoding="utf-8"):
        return ok(name, "does not run in AWS; `model retarget` says what it would need")
    keys = {"bucket": wanted.state_bucket, "region": wanted.region}
    asked = {
        state: keys,
        target.with_name("terraform.tfvars"): {
            "region": wanted.region,
            "vpc_id": wanted.network.vpc_id,
            "kms_key_arn": wanted.kms_key_arn,
            "permissions_boundary_arn": wanted.permissions_boundary_arn,
        },
    }
    wrong = [
        f"{key} of {file.name} is {found.get(key, 'not given')}, not {value}"
        for file, values in asked.items()
        for found in (_values(file, values),)
        for key, value in values.items()
        if found.get(key) != value
    ]
    if not wrong:
        return ok(name, "its state, region, network, key and boundary are the platform's")
    return warn(
        name, "; ".join(wrong), f"Correct {STATE.format(name)} and terraform.tfvars beside it, or keep your own."
    )


def _values(file: Path, keys: Iterable[str]) -> dict[str, str]:
    """Read `key = "value"` out of a file of Terraform's settings; what is not there is left out."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = {key: re.search(rf'^\s*{key}\s*=\s*"([^"]*)"', text, re.MULTILINE) for key in keys}
    return {key: match[1] for key, match in found.items() if match}


CHECKS = (platform,)
