# What ECS may do to start a server, and what a server may do: nothing.

locals {
  account = data.aws_caller_identity.current.account_id
  root    = "arn:${data.aws_partition.current.partition}:iam::${local.account}:root"

  # A secret's ARN may go on with :json-key:version-stage:version-id, which policies do not know.
  secret_arns = distinct(concat([for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, min(7, length(split(":", arn)))))], var.registry_credentials_arn[*]))

  # 123456789012.dkr.ecr.REGION.amazonaws.com/REPOSITORY@sha256:...
  ecr = try(regex("^(?P<account>[0-9]{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.amazonaws\\.com[a-z.]*/(?P<repository>[^@:]+)", local.image), null)

  statements = concat(
    [{
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.server.arn}:*"]
    }],
    local.ecr == null ? [] : [
      {
        Sid      = "LogInToRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"] # the action knows no resource
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:${data.aws_partition.current.partition}:ecr:${local.ecr.region}:${local.ecr.account}:repository/${local.ecr.repository}"]
      },
    ],
    length(local.secret_arns) == 0 ? [] : [{
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = local.secret_arns
    }],
    length(var.secret_key_arns) == 0 ? [] : [{
      Sid      = "DecryptSecrets"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = sort(tolist(var.secret_key_arns))
    }],
  )

  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name_prefix          = "${substr(local.prefix, 0, 24)}-start-"
  description          = "Starts the servers of ${local.prefix}"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

# No policy: a server calls nothing of AWS.
resource "aws_iam_role" "server" {
  name_prefix          = "${substr(local.prefix, 0, 24)}-serve-"
  description          = "The servers of ${local.prefix}"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_cloudwatch_log_group" "server" {
  #checkov:skip=CKV_AWS_338:log_days is a year unless the environment says otherwise
  name              = "/mergeline/${local.prefix}"
  retention_in_days = var.log_days
  kms_key_id        = coalesce(var.kms_key_arn, try(aws_kms_key.logs["own"].arn, null))
}

resource "aws_kms_key" "logs" {
  for_each = toset(var.kms_key_arn == null ? ["own"] : [])

  description             = "The logs of ${local.prefix}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Action    = "kms:*"
        Principal = { AWS = local.root }
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Principal = { Service = "logs.${data.aws_region.current.name}.amazonaws.com" }
        Resource  = "*"
        Condition = {
          ArnEquals = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.name}:${local.account}:log-group:/mergeline/${local.prefix}"
          }
        }
      },
    ]
  })
}
