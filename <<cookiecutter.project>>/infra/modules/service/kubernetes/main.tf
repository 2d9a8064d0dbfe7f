# A Deployment behind a Service, on any cluster that the kubeconfig leads to.
#
# blue_green: a Deployment per release, whose slot is the hash of all that it is made of. The Service's selector moves
# when the new one is ready, and the old one goes after that. rolling: one Deployment, whose pods Kubernetes replaces.

locals {
  url      = coalesce(var.address, "http://${local.prefix}.${local.namespace}.svc:${var.port}")
  revision = try(terraform_data.rollout[0].id, kubectl_manifest.service.uid)

  prefix    = "${var.name}-${var.environment}"
  namespace = coalesce(var.namespace, local.prefix)
  host      = try(regex("^https?://([^:]+)", var.address)[0], null)
  image     = try(coalesce(var.pin.release.image), "")
  beside    = var.pin.experiment == null ? null : { image = try(coalesce(var.pin.experiment.release.image), ""), bundle = var.pin.experiment.release.model.bundle_id }
  labels    = { "app.kubernetes.io/name" = var.name, "mergeline.environment" = local.prefix }

  environment = merge(
    var.env,
    { MERGELINE_RELEASE = try(var.pin.release.id, "") },
    length(var.token_hashes) == 0 ? {} : { MERGELINE_TOKEN_HASHES = join(" ", sort(var.token_hashes)) },
    var.pin.experiment == null ? {} : { MERGELINE_EXPERIMENT = jsonencode(var.pin.experiment), MERGELINE_BUNDLES = "/bundles" },
  )

  # All that a server is made of; a change of any of it, this module's own text included, is a new set of servers.
  pod = {
    image             = local.image
    beside            = local.beside
    image_pull_secret = var.image_pull_secret
    cpu               = "${floor(var.cpu * 1000)}m"
    memory            = "${var.memory_mb}M"
    ready_seconds     = var.ready_seconds
    drain_seconds     = var.drain_seconds
    env = concat(
      [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }],
      [for name in sort(keys(var.secrets)) : { name = name, valueFrom = { secretKeyRef = {
        name = split("/", var.secrets[name])[0]
        key  = try(split("/", var.secrets[name])[1], "")
      } } }],
    )
  }
  template = "${path.module}/manifests/deployment.yaml.tftpl"
  made     = var.pin.release == null ? "none" : substr(sha256(jsonencode([local.pod, filesha256(local.template)])), 0, 8)
  slot     = var.strategy == "rolling" && var.pin.release != null ? "rolling" : local.made
  servers  = toset(var.pin.release == null ? [] : [local.slot])

  own = { namespace = local.namespace, prefix = local.prefix, labels = local.labels }
  routes = merge(
    var.ingress_class == null ? {} : { ingress = { class = var.ingress_class, tls_secret = var.tls_secret, host = local.host, port = var.port } },
    var.gateway == null ? {} : { route = { gateway = var.gateway, host = local.host, port = var.port } },
    var.service_monitor == null ? {} : { monitor = { found_by = var.service_monitor } },
  )
}

resource "kubectl_manifest" "namespace" {
  count = var.namespace == null ? 1 : 0

  yaml_body         = templatefile("${path.module}/manifests/namespace.yaml.tftpl", local.own)
  server_side_apply = true
  force_conflicts   = true
  wait              = true # else a new one of this name finds the old one on its way out
}

resource "kubectl_manifest" "network" {
  yaml_body = templatefile("${path.module}/manifests/network.yaml.tftpl", merge(local.own, {
    namespaces = sort(var.client_namespaces)
    cidrs      = sort(var.client_cidrs)
  }))
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]
}

resource "kubectl_manifest" "deployment" {
  for_each = local.servers

  yaml_body         = templatefile(local.template, merge(local.own, local.pod, { slot = each.key, made = local.made }))
  server_side_apply = true
  force_conflicts   = true
  wait_for_rollout  = false # the provider waits for a new Deployment alone, terraform_data.rollout for a changed one too
  wait              = true  # when it goes, until the last request is answered
  depends_on        = [kubectl_manifest.network]

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", local.image))
      error_message = "The target kubernetes runs images of a registry by digest, repository@sha256:...: set the variable REGISTRY on GitHub, and pin a release that has one."
    }

    precondition {
      condition     = local.beside == null || can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", local.beside.image))
      error_message = "The experiment's bundle is taken from its release's image in a registry, and the release has none: repository@sha256:..."
    }

    precondition {
      condition     = length(var.token_hashes) > 0 || lookup(var.env, "MERGELINE_OPEN", "") == "1"
      error_message = "Others reach the target kubernetes: give token_hashes, which `model token` makes, or say env = { MERGELINE_OPEN = \"1\" }."
    }

    precondition {
      condition     = alltrue([for where in values(var.secrets) : can(regex("^[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._-]+$", where))])
      error_message = "On the target kubernetes a value of secrets is NAME/KEY of a Secret in the namespace."
    }
  }
}

# Waits until all new servers are ready; as many as the old ones are, whatever the autoscaler had made of these.
resource "terraform_data" "rollout" {
  count = length(local.servers)

  triggers_replace = [kubectl_manifest.deployment[local.slot].uid, local.made]

  provisioner "local-exec" {
    command = "\"$${MERGELINE_PYTHON:-python3}\" -m mergeline.release.rollout"
    environment = {
      CONTEXT       = var.context == null ? "" : var.context
      NAMESPACE     = local.namespace
      ENVIRONMENT   = local.prefix
      SLOT          = local.slot
      MADE          = local.made
      LEAST         = var.replicas.min
      MOST          = var.replicas.max
      READY_SECONDS = var.ready_seconds
    }
  }

  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [kubectl_manifest.deployment]
  }
}

resource "kubectl_manifest" "service" {
  yaml_body = templatefile("${path.module}/manifests/service.yaml.tftpl", merge(local.own, {
    slot = local.slot
    port = var.port
    type = var.load_balancer ? "LoadBalancer" : "ClusterIP"
  }))
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [terraform_data.rollout, kubectl_manifest.namespace]

  lifecycle {
    create_before_destroy = true # what it depends on goes after its change
  }
}

resource "kubectl_manifest" "scaler" {
  for_each = local.servers

  yaml_body = templatefile("${path.module}/manifests/scaler.yaml.tftpl", merge(local.own, {
    slot        = each.key
    replicas    = var.replicas
    cpu_percent = var.cpu_percent
  }))
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [terraform_data.rollout]
}

resource "kubectl_manifest" "budget" {
  yaml_body         = templatefile("${path.module}/manifests/budget.yaml.tftpl", local.own)
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]
}

resource "kubectl_manifest" "route" {
  for_each = local.routes

  yaml_body         = templatefile("${path.module}/manifests/${each.key}.yaml.tftpl", merge(local.own, each.value))
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.service]
}
