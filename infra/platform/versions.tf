terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0" # this one: no lock file is kept, as its hashes differ by where a provider comes from
    }
  }
}

# The account is the one of the credentials.
provider "aws" {
  region = var.region

  default_tags {
    tags = { platform = var.name }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  root      = "arn:${local.partition}:iam::${local.account}:root"
}
