# Pods behind a Service, on any cluster that the provider reaches.
#
# Rolling: one Deployment, whose pods are replaced one by one. Blue-green: a Deployment per release; the new one is
# ready before the Service's selector moves to it, and the old one goes after that.

locals {
  url      = var.host == null ? "http://${var.name}.${local.namespace}.svc:${var.port}" : "${var.ingress.tls_secret == null ? "http" : "https"}://${var.host}"
  revision = try(terraform_data.rollout[0].id, kubectl_manifest.service.id)

  prefix    = "${var.name}-${var.environment}"
  namespace = coalesce(var.namespace, local.prefix)
  image     = try(coalesce(var.pin.release.image), "")

  plain = merge(
    var.env,
    { MERGELINE_RELEASE = try(var.pin.release.id, "") },
    var.pin.experiment == null ? {} : { MERGELINE_EXPERIMENT = jsonencode(var.pin.experiment) },
  )
  env = concat(
    [for key, value in local.plain : { name = key, value = value }],
    [for key, at in var.secrets : { name = key, valueFrom = { secretKeyRef = { name = split("/", at)[0], key = try(split("/", at)[1], "") } } }],
  )

  made = substr(sha256(jsonencode({
    image  = local.image
    env    = local.env
    cpu    = var.cpu
    memory = var.memory_mb
    pull   = var.image_pull_secret
    module = filesha256("${path.module}/manifests/deployment.yaml.tftpl") # a Deployment's selector cannot change
  })), 0, 8)
  slot       = var.strategy == "rolling" ? "rolling" : local.made
  deployment = "${var.name}-${local.slot}"

  clients = concat(
    [{ podSelector = {} }],
    [for name in sort(var.client_namespaces) : { namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = name } } }],
  )
  ingress = merge(
    { rules = [{ host = var.host, http = { paths = [{ path = "/", pathType = "Prefix", backend = { service = { name = var.name, port = { name = "http" } } } }] } }] },
    var.ingress.class == null ? {} : { ingressClassName = var.ingress.class },
    var.ingress.tls_secret == null ? {} : { tls = [{ hosts = [var.host], secretName = var.ingress.tls_secret }] },
  )
  common = { name = var.name, namespace = local.namespace }
}

resource "kubectl_manifest" "namespace" {
  yaml_body         = templatefile("${path.module}/manifests/namespace.yaml.tftpl", { namespace = local.namespace, prefix = local.prefix })
  server_side_apply = true
  wait              = true
}

# What runs is keyed by its slot: a new release of a blue-green environment is a create, and stands beside the old one.
resource "kubectl_manifest" "deployment" {
  for_each = var.pin.release == null ? toset([]) : toset([local.slot])

  yaml_body = templatefile("${path.module}/manifests/deployment.yaml.tftpl", merge(local.common, {
    deployment = local.deployment
    slot       = each.key
    release    = substr(try(var.pin.release.id, ""), 0, 12)
    image      = local.image
    env        = jsonencode(local.env)
    pull       = jsonencode(var.image_pull_secret == null ? [] : [{ name = var.image_pull_secret }])
    cpu        = "${floor(var.cpu * 1000)}m"
    memory     = "${var.memory_mb}M"
    seconds    = var.rollout_seconds
  }))
  server_side_apply = true
  wait_for_rollout  = false # it does not wait on updates: terraform_data.rollout waits on both
  depends_on        = [kubectl_manifest.namespace, kubectl_manifest.network]

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", local.image))
      error_message = "The target kubernetes runs images by digest, and the pinned release has no repository@sha256:...: set the variable REGISTRY, and pin a release that was pushed."
    }

    precondition {
      condition     = length(var.token_hashes) == 0
      error_message = "The target kubernetes asks for no token: leave token_hashes empty, and say in client_namespaces who may reach it."
    }

    precondition {
      condition     = alltrue([for at in values(var.secrets) : can(regex("^[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._-]+$", at))])
      error_message = "On kubernetes a value of secrets is NAME/KEY of a Secret in the namespace."
    }
  }
}

# Waits until the new pods are ready, on updates as on creation. The Service moves after it.
resource "terraform_data" "rollout" {
  count = var.pin.release == null ? 0 : 1

  triggers_replace = {
    deployment = local.deployment
    made       = local.made
    release    = var.pin.release.id
    replicas   = var.replicas
  }

  provisioner "local-exec" {
    command = "kubectl --namespace \"$NAMESPACE\" rollout status \"deployment/$DEPLOYMENT\" --timeout \"$SECONDS_LEFT\""
    environment = {
      NAMESPACE    = local.namespace
      DEPLOYMENT   = local.deployment
      SECONDS_LEFT = "${var.rollout_seconds}s"
    }
  }

  # The autoscaler sets the number of pods, so it is there before they are waited for.
  depends_on = [kubectl_manifest.deployment, kubectl_manifest.scaler]

  lifecycle {
    create_before_destroy = true
  }
}

resource "kubectl_manifest" "service" {
  yaml_body         = templatefile("${path.module}/manifests/service.yaml.tftpl", merge(local.common, { slot = var.pin.release == null ? "none" : local.slot, port = var.port }))
  server_side_apply = true
  depends_on        = [kubectl_manifest.namespace, terraform_data.rollout]

  lifecycle {
    create_before_destroy = true # what it depends on goes after its change
  }
}

resource "kubectl_manifest" "scaler" {
  for_each = var.pin.release == null ? toset([]) : toset([local.slot])

  yaml_body = templatefile("${path.module}/manifests/scaler.yaml.tftpl", merge(local.common, {
    deployment = local.deployment
    min        = var.replicas.min
    max        = var.replicas.max
    percent    = var.cpu_percent
  }))
  server_side_apply = true
  depends_on        = [kubectl_manifest.deployment]

  lifecycle {
    create_before_destroy = true
  }
}

resource "kubectl_manifest" "budget" {
  yaml_body         = templatefile("${path.module}/manifests/budget.yaml.tftpl", local.common)
  server_side_apply = true
  depends_on        = [kubectl_manifest.namespace]
}

# No way out, and in from the namespace and the named ones only.
resource "kubectl_manifest" "network" {
  yaml_body         = templatefile("${path.module}/manifests/network.yaml.tftpl", merge(local.common, { clients = jsonencode(local.clients) }))
  server_side_apply = true
  depends_on        = [kubectl_manifest.namespace]
}

resource "kubectl_manifest" "ingress" {
  count = var.host == null ? 0 : 1

  yaml_body         = templatefile("${path.module}/manifests/ingress.yaml.tftpl", merge(local.common, { spec = jsonencode(local.ingress) }))
  server_side_apply = true
  depends_on        = [kubectl_manifest.service]
}
