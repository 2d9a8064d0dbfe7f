# The most that a role of the project's servers can ever do, whatever Terraform writes into it.

resource "aws_iam_policy" "boundary" {
  #checkov:skip=CKV_AWS_288:it allows nothing by itself, and limits what other policies allow
  #checkov:skip=CKV_AWS_355:it allows nothing by itself, and limits what other policies allow
  #checkov:skip=CKV_AWS_290:it allows nothing by itself, and limits what other policies allow
  name        = "${var.platform}-${var.name}-servers"
  description = "The most that roles of the servers of ${var.name} can do"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.aws}:logs:${local.here}:log-group:/mergeline/${var.name}-*"]
      },
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
        Resource = [aws_ecr_repository.this.arn]
      },
      {
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = ["${local.aws}:secretsmanager:${local.here}:secret:${var.name}/*"]
      },
      {
        Sid       = "DecryptSecrets"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = ["${local.aws}:kms:${local.here}:key/*"]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
      },
    ]
  })
}
