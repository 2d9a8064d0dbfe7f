# A role that jobs of one repository may take, and only those whose token says what is asked.

locals {
  issuer = "token.actions.githubusercontent.com"
  parts  = split("/", var.repository)
  # Since 2026 a new repository's subject holds the numbers of owner and repository too.
  starts = ["repo:${var.repository}", "repo:${local.parts[0]}@*/${local.parts[1]}@*"]
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = var.description
  max_session_duration = 7200 # a deployment is watched for up to half an hour
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc_provider_arn }
      Condition = {
        StringEquals = merge(
          { "${local.issuer}:aud" = "sts.amazonaws.com", "${local.issuer}:repository" = var.repository },
          { for name, value in var.claims : "${local.issuer}:${name}" => value },
        )
        StringLike = { "${local.issuer}:sub" = sort([for pair in setproduct(local.starts, var.subjects) : join(":", pair)]) }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "may"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [for one in var.statements : jsondecode(one)] })
}
