# Who may do what for one project: pull requests look, releases push, a deployment changes its environment.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  aws     = "arn:${data.aws_partition.current.partition}"
  here    = "${var.region}:${local.account}"
  states  = "${local.aws}:s3:::${var.state_bucket}"
  dvc     = "${local.aws}:s3:::${var.dvc_bucket}"

  look = [
    { # states, and no more than this project's
      Sid      = "ReadStates"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${local.states}/${var.name}/*"]
    },
    {
      Sid      = "ReadData"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${local.dvc}/${var.name}/*"]
    },
    {
      Sid       = "ListOwn"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [local.states, local.dvc]
      Condition = { StringLike = { "s3:prefix" = [var.name, "${var.name}/*"] } }
    },
    {
      Sid      = "Decrypt"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.kms_key_arn]
    },
    { # what a plan compares with: descriptions, no content, no secret
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "application-autoscaling:Describe*", "application-autoscaling:ListTagsForResource",
        "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
        "ec2:Describe*",
        "ecs:Describe*", "ecs:List*",
        "elasticloadbalancing:Describe*",
        "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
        "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags",
        "logs:DescribeLogGroups", "logs:ListTagsForResource",
        "route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets",
      ]
      Resource = ["*"]
    },
  ]

  push = [
    {
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"] # the action knows no resource
    },
    {
      Sid    = "PushImages"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
      ]
      Resource = [aws_ecr_repository.this.arn]
    },
    {
      Sid      = "WriteData"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${local.dvc}/${var.name}/*"]
    },
    {
      Sid      = "Encrypt"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey"]
      Resource = [var.kms_key_arn]
    },
  ]
}

module "read" {
  source = "../role"

  name              = "${var.platform}-${var.name}-read"
  description       = "Pull requests of ${var.repository} plan and train; nothing can be changed with it"
  oidc_provider_arn = var.oidc_provider_arn
  repository        = var.repository
  subjects          = ["pull_request", "ref:refs/heads/main", "ref:refs/heads/gh-readonly-queue/main/*"]
  statements        = [for one in local.look : jsonencode(one)]
}

module "release" {
  source = "../role"

  name              = "${var.platform}-${var.name}-release"
  description       = "A merge of ${var.repository} pushes its image, and what DVC keeps"
  oidc_provider_arn = var.oidc_provider_arn
  repository        = var.repository
  subjects          = ["ref:refs/heads/main"]
  claims            = { ref = "refs/heads/main" }
  statements        = [for one in concat([for one in local.look : one if one.Sid != "ReadStates" && one.Sid != "Look"], local.push) : jsonencode(one)]
}

module "deploy" {
  for_each = var.environments
  source   = "../role"

  name              = "${var.platform}-${var.name}-${each.key}"
  description       = "Deployments of ${var.repository} to ${each.key}"
  oidc_provider_arn = var.oidc_provider_arn
  repository        = var.repository
  subjects          = ["environment:${each.key}"]
  claims            = { ref = "refs/heads/main", environment = each.key }
  statements        = [for one in concat(local.look, local.change[each.key]) : jsonencode(one)]
}
