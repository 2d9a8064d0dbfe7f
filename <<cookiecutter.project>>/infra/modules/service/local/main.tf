# Supervised processes on this machine, with nothing but Terraform's built-in provider.
#
# The provisioners call the project's own code: `model deploy` sets MERGELINE_PYTHON to its interpreter. They take
# the state folder from MERGELINE_STATE, as the command does. Terraform cannot see a process die: `model status` does.

locals {
  url      = "http://${var.host == "0.0.0.0" ? "127.0.0.1" : var.host}:${var.port}"
  revision = terraform_data.rollout.id

  address = { name = var.name, environment = var.environment, host = var.host, port = var.port }

  # Asks for a token where other machines reach it, unless env says that it is open.
  access = length(var.token_hashes) == 0 ? {} : { MERGELINE_TOKEN_HASHES = join(" ", sort(var.token_hashes)) }

  experiment = var.pin.experiment == null ? {} : { MERGELINE_EXPERIMENT = jsonencode(var.pin.experiment) }

  wanted = {
    release   = try(var.pin.release.id, null)
    bundle_id = try(var.pin.release.model.bundle_id, null)
    workers   = var.replicas.min
    env       = merge(var.env, local.access, local.experiment)
    secrets   = var.secrets
  }
}

# The supervisor. No create_before_destroy: with it the destroy step is skipped on replacement.
resource "terraform_data" "service" {
  input            = local.address
  triggers_replace = local.address

  lifecycle {
    precondition {
      condition     = length(var.token_hashes) > 0 || startswith(var.host, "127.") || lookup(var.env, "MERGELINE_OPEN", "") == "1"
      error_message = "Other machines reach ${var.host}: give token_hashes, which `model token` makes, or say env = { MERGELINE_OPEN = \"1\" }."
    }
  }

  provisioner "local-exec" {
    command = "\"$${MERGELINE_PYTHON:-python3}\" -m mergeline.serve.local start --name \"$NAME\" --environment \"$ENVIRONMENT\" --host \"$HOST\" --port \"$PORT\""
    environment = {
      NAME        = self.input.name
      ENVIRONMENT = self.input.environment
      HOST        = self.input.host
      PORT        = self.input.port
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "\"$${MERGELINE_PYTHON:-python3}\" -m mergeline.serve.local stop --name \"$NAME\" --environment \"$ENVIRONMENT\""
    environment = {
      NAME        = self.input.name
      ENVIRONMENT = self.input.environment
    }
  }
}

# The switch: the new worker is ready before the old one drains.
resource "terraform_data" "rollout" {
  input            = local.wanted
  triggers_replace = { wanted = local.wanted, service = terraform_data.service.id }

  provisioner "local-exec" {
    command = "\"$${MERGELINE_PYTHON:-python3}\" -m mergeline.serve.local switch --name \"$NAME\" --environment \"$ENVIRONMENT\""
    environment = {
      NAME           = var.name
      ENVIRONMENT    = var.environment
      MERGELINE_SPEC = jsonencode(local.wanted)
    }
  }
}
