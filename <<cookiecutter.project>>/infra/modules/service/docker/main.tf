# Containers behind a gateway container, on any Docker host.
#
# A server's key holds the hash of all that it is made of, so two releases stand side by side and an apply that failed
# leaves the servers of before as they are. The order of a deployment: new servers, switch, end of the old servers.

locals {
  url      = "http://${var.host == "0.0.0.0" ? "127.0.0.1" : var.host}:${var.port}"
  revision = try(terraform_data.rollout[0].id, docker_container.gateway.id)

  prefix = "${var.name}-${var.environment}"
  image  = try(coalesce(var.pin.release.image), "")

  # In its container a server listens to all; who reaches the gateway decides whether it asks for a token.
  access = length(var.token_hashes) > 0 ? { MERGELINE_TOKEN_HASHES = join(" ", sort(var.token_hashes)) } : startswith(var.host, "127.") ? { MERGELINE_OPEN = "1" } : {}

  # The experiment's bundle lies in its release's image, from where a volume takes it to the servers.
  bundles    = "/bundles"
  beside     = var.pin.experiment == null ? {} : { (var.pin.experiment.release.model.bundle_id) = try(coalesce(var.pin.experiment.release.image), "") }
  experiment = var.pin.experiment == null ? {} : { MERGELINE_EXPERIMENT = jsonencode(var.pin.experiment), MERGELINE_BUNDLES = local.bundles }
  env        = merge(var.env, local.access, local.experiment)

  made = var.pin.release == null ? "" : substr(sha256(jsonencode({
    release = var.pin.release.id
    image   = local.image
    cpu     = var.cpu
    memory  = var.memory_mb
    env     = local.env
    secrets = var.secrets
    module  = filesha256("${path.module}/main.tf") # two of one name cannot stand side by side
  })), 0, 8)
  servers = var.pin.release == null ? [] : [for index in range(var.replicas.min) : "${local.made}-${index}"]

  memory = floor(var.memory_mb * 1000000 / 1048576)

  gateway = templatefile("${path.module}/haproxy.cfg.tftpl", {
    slots  = 2 * var.replicas.max
    pinned = var.pin.release != null
  })
  gateway_id = substr(sha256(jsonencode([local.gateway, var.gateway_image, var.host, var.port])), 0, 12)
}

# Servers have no way out; the gateway is in both networks.
resource "docker_network" "servers" {
  name     = "${local.prefix}-servers"
  internal = true

  labels {
    label = "mergeline.environment"
    value = local.prefix
  }
}

resource "docker_network" "clients" {
  name = "${local.prefix}-clients"

  labels {
    label = "mergeline.environment"
    value = local.prefix
  }
}

# Where the gateway's socket and its memory of the servers lie.
resource "docker_volume" "gateway" {
  name = "${local.prefix}-gateway"

  labels {
    label = "mergeline.environment"
    value = local.prefix
  }
}

# By the command, which has the registry's credentials; the provider has none. An image is kept, for going back.
resource "terraform_data" "image" {
  for_each = toset([for name in concat([local.image, var.gateway_image], values(local.beside)) : name if strcontains(name, "@")])
  input    = each.key

  provisioner "local-exec" {
    command     = "docker image inspect \"$IMAGE\" >/dev/null 2>&1 || docker pull --quiet \"$IMAGE\""
    environment = { IMAGE = self.input }
  }
}

# It is filled when it is made, so one that somebody removed comes back filled. Mounted at /tmp, which belongs to everybody:
# so the volume does too, and no root is needed.
resource "docker_volume" "bundle" {
  for_each = local.beside

  name = "${local.prefix}-bundle-${substr(each.key, 0, 12)}"

  labels {
    label = "mergeline.environment"
    value = local.prefix
  }

  provisioner "local-exec" {
    command = join(" ", [
      "docker run --rm --read-only --network none --cap-drop ALL --security-opt no-new-privileges --user 10001:10001",
      "--label \"mergeline.environment=$LABEL\" --volume \"$VOLUME:/tmp\" --entrypoint python \"$IMAGE\"",
      "-c \"import shutil; shutil.copytree('/srv/bundle', '/tmp/$BUNDLE', dirs_exist_ok=True)\"",
    ])
    environment = {
      LABEL  = local.prefix
      VOLUME = self.name
      IMAGE  = try(terraform_data.image[each.value].output, each.value)
      BUNDLE = each.key
    }
  }

  lifecycle {
    precondition {
      condition     = each.value != ""
      error_message = "The target docker runs images, and the experiment's release has none: see `make image` and `model release build --image`."
    }
  }
}

resource "docker_container" "server" {
  for_each = toset(local.servers)

  name                  = "${local.prefix}-${substr(try(var.pin.release.id, ""), 0, 8)}-${each.key}"
  image                 = try(terraform_data.image[local.image].output, local.image)
  user                  = "10001:10001"
  read_only             = true
  tmpfs                 = { "/tmp" = "rw,noexec,nosuid,size=64m" }
  security_opts         = ["no-new-privileges"]
  memory                = local.memory
  memory_swap           = local.memory * 2 # else every plan shows a change
  cpu_period            = 100000           # not `cpus`, which the provider reads back in other words
  cpu_quota             = floor(var.cpu * 100000)
  restart               = "unless-stopped"
  stop_signal           = "SIGINT" # no grace for balancers to notice: the gateway sends it nothing by then
  destroy_grace_seconds = 45       # what is under way is finished
  log_driver            = "json-file"
  log_opts              = { "max-size" = "10m", "max-file" = "3" }

  env = concat(
    ["MERGELINE_RELEASE=${try(var.pin.release.id, "")}", "MERGELINE_SECRETS=${length(var.secrets) > 0 ? "/run/secrets" : ""}"],
    [for key, value in local.env : "${key}=${value}"],
  )

  capabilities {
    drop = ["ALL"]
  }

  labels {
    label = "mergeline.environment"
    value = local.prefix
  }

  networks_advanced {
    name    = docker_network.servers.name
    aliases = [each.key]
  }

  dynamic "mounts" {
    for_each = var.secrets
    content {
      type      = "bind"
      source    = mounts.value
      target    = "/run/secrets/${mounts.key}"
      read_only = true
    }
  }

  dynamic "volumes" {
    for_each = docker_volume.bundle
    content {
      volume_name    = volumes.value.name
      container_path = local.bundles
      read_only      = true
    }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = local.image != ""
      error_message = "The target docker runs images, and the pinned release has none: see `make image` and `model release build --image`."
    }
  }
}

resource "docker_container" "gateway" {
  name                  = "${local.prefix}-gateway"
  image                 = try(terraform_data.image[var.gateway_image].output, var.gateway_image)
  entrypoint            = ["sh", "-c", "printf '%s' \"$CONFIG\" >/tmp/haproxy.cfg && exec haproxy -db -f /tmp/haproxy.cfg"]
  user                  = "99:99"
  read_only             = true
  security_opts         = ["no-new-privileges"]
  restart               = "unless-stopped"
  stop_signal           = "SIGUSR1" # finish what is being answered
  destroy_grace_seconds = 35
  log_driver            = "json-file"
  log_opts              = { "max-size" = "10m", "max-file" = "3" }
  env                   = ["CONFIG=${local.gateway}", "GATEWAY=${local.gateway_id}"]

  capabilities {
    drop = ["ALL"]
  }

  labels {
    label = "mergeline.environment"
    value = local.prefix
  }

  networks_advanced {
    name = docker_network.clients.name
  }

  networks_advanced {
    name = docker_network.servers.name
  }

  ports {
    internal = 8080
    external = var.port
    ip       = var.host
  }

  volumes {
    volume_name    = docker_volume.gateway.name
    container_path = "/tmp"
  }

  lifecycle {
    precondition {
      condition     = length(var.token_hashes) > 0 || startswith(var.host, "127.") || lookup(var.env, "MERGELINE_OPEN", "") == "1"
      error_message = "Other machines reach ${var.host}: give token_hashes, which `model token` makes, or say env = { MERGELINE_OPEN = \"1\" }."
    }
  }
}

# The switch. Old servers end after it. It has no create_before_destroy of its own: that would pass on to the gateway,
# and two gateways cannot have one port.
resource "terraform_data" "rollout" {
  count = var.pin.release == null ? 0 : 1

  triggers_replace = {
    servers = [for key in local.servers : docker_container.server[key].name]
    gateway = docker_container.gateway.id
  }

  provisioner "local-exec" {
    command = join(" ", [
      "docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --user 10001:10001",
      "--label \"mergeline.environment=$LABEL\" --network \"$NETWORK\" --volume \"$VOLUME:/tmp\" --entrypoint python \"$IMAGE\"",
      "-m mergeline.serve.gateway --gateway \"$GATEWAY\" --release \"$RELEASE\" --strategy \"$STRATEGY\" $SERVERS",
    ])
    environment = {
      LABEL    = local.prefix
      NETWORK  = docker_network.servers.name
      VOLUME   = docker_volume.gateway.name
      IMAGE    = local.image
      GATEWAY  = local.gateway_id
      RELEASE  = var.pin.release.id
      STRATEGY = var.strategy
      SERVERS  = join(" ", local.servers)
    }
  }
}
