# One key for all that is kept here: buckets, images, the database, logs.

resource "aws_kms_key" "this" {
  description             = "The platform ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account" # who of it may use the key is in the policies of its roles
        Effect    = "Allow"
        Action    = "kms:*"
        Principal = { AWS = local.root }
        Resource  = "*"
      },
      {
        Sid       = "Logs" # of the platform, and of environments: modules/service/aws calls theirs /mergeline/...
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = [for name in distinct([var.name, "mergeline"]) : "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/${name}/*"] } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
