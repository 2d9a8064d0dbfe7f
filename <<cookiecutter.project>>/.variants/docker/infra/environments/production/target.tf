# How << cookiecutter.project >> runs in production. The source is a literal: Terraform takes no variable there.

terraform {
  required_version = ">= 1.11"

  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = "4.6.0" # this one: no lock file is kept, as its hashes differ by where a provider comes from
    }
  }

  # `model deploy` gives the path: outside the working copy, which a checkout cleans.
  backend "local" {}
}

# The engine is the one that DOCKER_HOST names, else this machine's.
provider "docker" {}

module "service" {
  source = "../../modules/service/docker"

  name         = var.name
  environment  = local.environment
  pin          = local.pin
  port         = var.port
  replicas     = var.replicas
  cpu          = var.cpu
  memory_mb    = var.memory_mb
  strategy     = var.strategy
  env          = var.env
  secrets      = var.secrets
  token_hashes = var.token_hashes
}
