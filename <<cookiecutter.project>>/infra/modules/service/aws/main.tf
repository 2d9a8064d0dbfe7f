# ECS Fargate services behind a load balancer.
#
# blue_green: a service per release, whose key holds the hash of all that it is made of. The new one is steady before the
# rule of network.tf moves to it, and the old one goes after that. rolling: one service, whose tasks ECS replaces.

locals {
  port     = coalesce(var.https_port, var.port)
  url      = "https://${var.domain}${local.port == 443 ? "" : ":${local.port}"}"
  revision = try(aws_ecs_task_definition.server[local.key].arn, aws_lb_listener.https.arn)

  prefix = "${var.name}-${var.environment}"
  image  = try(coalesce(var.pin.release.image), "")
  made = var.pin.release == null ? "" : substr(sha256(jsonencode({
    release    = var.pin.release.id
    image      = local.image
    experiment = var.pin.experiment
    cpu        = var.cpu
    memory     = var.memory_mb
    env        = var.env
    secrets    = var.secrets
    tokens     = var.token_hashes
  })), 0, 8)
  key      = var.strategy == "rolling" ? "rolling" : local.made
  services = toset(var.pin.release == null ? [] : [local.key])

  # What Fargate sells: units of processor (1024 are one), and the MiB that go with them.
  sizes = flatten([
    for cpu, memory in {
      256   = [512, 1024, 2048]
      512   = range(1024, 4097, 1024)
      1024  = range(2048, 8193, 1024)
      2048  = range(4096, 16385, 1024)
      4096  = range(8192, 30721, 1024)
      8192  = range(16384, 61441, 4096)
      16384 = range(32768, 122881, 8192)
    } : [for mib in memory : { cpu = tonumber(cpu), memory = mib }]
  ])
  fitting = { for size in local.sizes : format("%05d-%06d", size.cpu, size.memory) => size if size.cpu >= var.cpu * 1024 && size.memory * 1048576 >= var.memory_mb * 1000000 }
  size    = try(local.fitting[sort(keys(local.fitting))[0]], { cpu = 0, memory = 0 })

  environment = merge(
    var.env,
    { MERGELINE_RELEASE = try(var.pin.release.id, "") },
    length(var.token_hashes) == 0 ? {} : { MERGELINE_TOKEN_HASHES = join(" ", sort(var.token_hashes)) },
    var.pin.experiment == null ? {} : { MERGELINE_EXPERIMENT = jsonencode(var.pin.experiment), MERGELINE_BUNDLES = "/bundles" },
  )
  beside = var.pin.experiment == null ? {} : { (var.pin.experiment.release.model.bundle_id) = try(coalesce(var.pin.experiment.release.image), "") }

  # Apart, as the two sides of a condition would need one type.
  takes_bundle = {
    mountPoints = [{ sourceVolume = "bundles", containerPath = "/bundles", readOnly = true }]
    dependsOn   = [{ containerName = "bundle", condition = "SUCCESS" }]
  }

  # What both containers have.
  container = merge(
    {
      user                   = "10001:10001"
      readonlyRootFilesystem = true
      linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.server.name
          awslogs-region        = data.aws_region.current.name
          awslogs-stream-prefix = "server"
        }
      }
    },
    var.registry_credentials_arn == null ? {} : { repositoryCredentials = { credentialsParameter = var.registry_credentials_arn } },
  )
}

data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_ecs_cluster" "this" {
  name = local.prefix

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "server" {
  for_each = local.services

  family                   = "${local.prefix}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = local.size.cpu
  memory                   = local.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.server.arn

  dynamic "volume" {
    for_each = local.beside
    content {
      name = "bundles"
    }
  }

  container_definitions = jsonencode(concat(
    [merge(
      local.container,
      {
        name         = "server"
        image        = local.image
        essential    = true
        stopTimeout  = 45 # longer than the server's own drain
        portMappings = [{ containerPort = 8000, hostPort = 8000, protocol = "tcp" }]
        environment  = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
        secrets      = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]
        healthCheck = {
          command     = ["CMD", "python", "-c", "import socket; s = socket.create_connection(('127.0.0.1', 8000), 2); s.sendall(b'GET /ready HTTP/1.0\\r\\n\\r\\n'); assert b' 200 ' in s.recv(64)"]
          interval    = 10
          timeout     = 3
          retries     = 3
          startPeriod = 30
        }
      },
      { for name, value in local.takes_bundle : name => value if length(local.beside) > 0 },
    )],
    # The experiment's bundle lies in its release's image. A fresh volume of a task belongs to root.
    [for bundle, image in local.beside : merge(
      local.container,
      {
        name        = "bundle"
        image       = image
        essential   = false
        user        = "0:0"
        entryPoint  = ["python"]
        command     = ["-c", "import shutil; shutil.copytree('/srv/bundle', '/bundles/${bundle}', dirs_exist_ok=True)"]
        mountPoints = [{ sourceVolume = "bundles", containerPath = "/bundles", readOnly = false }]
      },
    )],
  ))

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", local.image))
      error_message = "The target aws runs images of a registry by digest, repository@sha256:...: set the variable REGISTRY on GitHub, and pin a release that has one."
    }

    precondition {
      condition     = alltrue([for image in values(local.beside) : can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", image))])
      error_message = "The experiment's bundle is taken from its release's image in a registry, and the release has none: repository@sha256:..."
    }

    precondition {
      condition     = local.size.cpu > 0
      error_message = "Fargate has no server of that size: cpu is at most 16, memory_mb at most 128849."
    }

    precondition {
      condition     = length(var.token_hashes) > 0 || lookup(var.env, "MERGELINE_OPEN", "") == "1"
      error_message = "Others reach the target aws: give token_hashes, which `model token` makes, or say env = { MERGELINE_OPEN = \"1\" }."
    }

    precondition {
      condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:", arn))])
      error_message = "On the target aws a value of secrets is the ARN of a secret: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
    }
  }
}

resource "aws_ecs_service" "server" {
  for_each = local.services

  name                               = each.key
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.server[each.key].arn
  launch_type                        = "FARGATE"
  propagate_tags                     = "SERVICE"
  desired_count                      = each.key == "rolling" ? var.replicas.min : var.replicas.max # the autoscaler's from then on
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  wait_for_steady_state              = true

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.server_subnet_ids
    security_groups  = [aws_security_group.server.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.server[each.key].arn
    container_name   = "server"
    container_port   = 8000
  }

  timeouts {
    create = "10m"
    update = "15m"
  }

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [desired_count]
  }

  # Tasks start with their rights and ways out, and ECS takes only a target group that some rule leads to.
  depends_on = [
    aws_iam_role_policy.execution,
    aws_lb_listener_rule.known,
    aws_vpc_security_group_egress_rule.server,
    aws_vpc_security_group_ingress_rule.server,
  ]
}
