"""What target.tf says of an environment in AWS, and what such an environment needs before it."""

import re
from pathlib import Path

from ..errors import Usage
from . import pins
from .manifest import Release

STATE = "state.s3.tfbackend"
"""The file beside target.tf that names the bucket and the region of Terraform's state."""
INPUTS = re.compile(r"^aws\s*=", re.MULTILINE)
IMAGE = re.compile(r"[^@ ]+@sha256:[0-9a-f]{64}")

REQUIRED = """
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0" # this one: no lock file is kept, as its hashes differ by where a provider comes from
    }
  }
"""
BACKEND = """\
  # state.s3.tfbackend beside this file names the bucket and its region: Terraform takes no variable here either.
  backend "s3" {{
    key          = "{name}/{environment}.tfstate"
    encrypt      = true
    use_lockfile = true
  }}"""
PROVIDER = """
variable "aws" {
  description = "Where in AWS it runs; modules/service/aws/extras.tf describes each."
  type = object({
    region                   = string
    vpc_id                   = string
    load_balancer_subnet_ids = set(string)
    server_subnet_ids        = set(string)
    certificate_arn          = string
    domain                   = string
    zone_id                  = optional(string)
    client_cidrs             = set(string)
    https_port               = optional(number)
    internal                 = optional(bool)
    access_log_bucket        = optional(string)
    kms_key_arn              = optional(string)
    permissions_boundary_arn = optional(string)
    secret_key_arns          = optional(set(string))
    registry_credentials_arn = optional(string)
    log_days                 = optional(number)
    scaling                  = optional(object({ cpu_percent = number, requests_per_minute = number }))
    alarms = optional(object({
      error_percent   = optional(number)
      latency_seconds = optional(number)
      topic_arns      = optional(set(string))
    }))
  })
  nullable = false
}

# The account is the one of the credentials: AWS_PROFILE, or what a runner's role gives.
provider "aws" {
  region = var.aws.region

  default_tags {
    tags = { model = var.name, environment = local.environment }
  }
}
"""
GIVEN = """
  vpc_id                   = var.aws.vpc_id
  load_balancer_subnet_ids = var.aws.load_balancer_subnet_ids
  server_subnet_ids        = var.aws.server_subnet_ids
  certificate_arn          = var.aws.certificate_arn
  domain                   = var.aws.domain
  zone_id                  = var.aws.zone_id
  client_cidrs             = var.aws.client_cidrs
  https_port               = var.aws.https_port
  internal                 = var.aws.internal
  access_log_bucket        = var.aws.access_log_bucket
  kms_key_arn              = var.aws.kms_key_arn
  permissions_boundary_arn = var.aws.permissions_boundary_arn
  secret_key_arns          = var.aws.secret_key_arns
  registry_credentials_arn = var.aws.registry_credentials_arn
  log_days                 = var.aws.log_days
  scaling                  = var.aws.scaling
  alarms                   = var.aws.alarms
"""


def refuse(root: Path, environment: str, release: Release | None) -> None:
    """Refuse a move to AWS that could not end well, before anything is destroyed. Raises Usage."""
    folder = root / pins.FOLDER / environment
    if not (folder / STATE).is_file():
        raise Usage(
            f"{pins.FOLDER}/{environment}/{STATE} is missing",
            'Write it: bucket = "..." and region = "..." of an S3 bucket for Terraform\'s state.',
        )
    if not INPUTS.search((folder / "terraform.tfvars").read_text(encoding="utf-8")):
        raise Usage(
            f"{pins.FOLDER}/{environment}/terraform.tfvars says nothing of aws",
            "Add aws = { region, vpc_id, ... } as docs/runbook.md shows.",
        )
    if release is not None and not IMAGE.fullmatch(release.image or ""):
        raise Usage(
            f"release {release.id[:12]} has no image in a registry, and {environment} would run on aws",
            "Set the variable REGISTRY on GitHub, and pin a release that has REPOSITORY@sha256:... as its image.",
        )
