# The MLflow server: a Fargate task behind an internal load balancer; runs in PostgreSQL, artifacts in the bucket.

locals {
  mlflow     = toset(var.mlflow == null ? [] : ["server"])
  mlflow_url = try("https://${var.mlflow.domain}", null)
  subnet_ids = { for kind in ["public", "private"] : kind => sort([for name, subnet in local.subnets : aws_subnet.this[name].id if subnet.kind == kind]) }
  database   = try(aws_db_instance.mlflow["server"], null)
}

resource "aws_ecr_repository" "mlflow" {
  name                 = "${var.name}/mlflow"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protected

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecs_cluster" "this" {
  for_each = local.mlflow
  name     = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "mlflow" {
  #checkov:skip=CKV_AWS_338:log_days is a year unless the organisation says otherwise
  for_each = local.mlflow

  name              = "/${var.name}/mlflow"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_task_definition" "mlflow" {
  #checkov:skip=CKV_AWS_336:MLflow writes temporary files, into a volume of its own
  for_each = local.mlflow

  family                   = "${var.name}-mlflow"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.mlflow.cpu
  memory                   = var.mlflow.memory
  execution_role_arn       = aws_iam_role.mlflow["start"].arn
  task_role_arn            = aws_iam_role.mlflow["serve"].arn

  volume {
    name = "temporary"
  }

  container_definitions = jsonencode([{
    name                   = "mlflow"
    image                  = var.mlflow.image
    essential              = true
    readonlyRootFilesystem = true
    portMappings           = [{ containerPort = 5000, hostPort = 5000, protocol = "tcp" }]
    mountPoints            = [{ sourceVolume = "temporary", containerPath = "/tmp", readOnly = false }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    environment            = [{ name = "DO_NOT_TRACK", value = "1" }, { name = "HOME", value = "/tmp" }]
    secrets                = [{ name = "PGPASSWORD", valueFrom = "${local.database.master_user_secret[0].secret_arn}:password::" }]
    command = [
      "mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "2",
      "--backend-store-uri", "postgresql://mlflow@${local.database.endpoint}/mlflow?sslmode=require",
      "--artifacts-destination", "s3://${module.bucket["artifacts"].name}",
      "--allowed-hosts", "${var.mlflow.domain},localhost:5000",
    ]
    # It asks the database too: when AWS has changed the password, the task is replaced by one that knows it.
    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://localhost:5000/api/2.0/mlflow/experiments/search?max_results=1', timeout=5)"]
      interval    = 30
      timeout     = 10
      retries     = 3
      startPeriod = 120
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.mlflow[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "mlflow"
      }
    }
  }])
}

resource "aws_ecs_service" "mlflow" {
  for_each = local.mlflow

  name                               = "mlflow"
  cluster                            = aws_ecs_cluster.this[each.key].id
  task_definition                    = aws_ecs_task_definition.mlflow[each.key].arn
  launch_type                        = "FARGATE"
  propagate_tags                     = "SERVICE"
  desired_count                      = 1
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 180

  network_configuration {
    subnets          = local.subnet_ids.private
    security_groups  = [aws_security_group.this["mlflow"].id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.mlflow[each.key].arn
    container_name   = "mlflow"
    container_port   = 5000
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  depends_on = [aws_lb_listener.mlflow]
}

# start: what ECS does before the server runs; serve: what the server itself may do.
resource "aws_iam_role" "mlflow" {
  for_each = toset(var.mlflow == null ? [] : ["start", "serve"])

  name        = "${var.name}-mlflow-${each.key}"
  description = "MLflow: ${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "mlflow_start" {
  for_each = local.mlflow

  name = "may"
  role = aws_iam_role.mlflow["start"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.mlflow[each.key].arn}:*"] },
      { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] }, # the action knows no resource
      { Effect = "Allow", Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], Resource = [aws_ecr_repository.mlflow.arn] },
      { Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = [local.database.master_user_secret[0].secret_arn] },
      { Effect = "Allow", Action = ["kms:Decrypt"], Resource = [aws_kms_key.this.arn] },
    ]
  })
}

resource "aws_iam_role_policy" "mlflow_serve" {
  for_each = local.mlflow

  name = "may"
  role = aws_iam_role.mlflow["serve"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [module.bucket["artifacts"].arn] },
      { Effect = "Allow", Action = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"], Resource = ["${module.bucket["artifacts"].arn}/*"] },
      { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.this.arn] },
    ]
  })
}
