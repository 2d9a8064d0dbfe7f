# How << cookiecutter.project >> runs in production. The source is a literal: Terraform takes no variable there.

terraform {
  required_version = ">= 1.11"

  # `model deploy` gives the path: outside the working copy, which a checkout cleans.
  backend "local" {}
}

module "service" {
  source = "../../modules/service/local"

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
