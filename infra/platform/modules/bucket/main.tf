# A private bucket: encrypted, versioned, reached by TLS alone.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:a copy in another region is the organisation's choice, and costs as much again
  #checkov:skip=CKV2_AWS_62:nobody listens to what happens in the bucket
  #checkov:skip=CKV_AWS_18:all but the log bucket log to log_bucket, which would log itself for ever
  #checkov:skip=CKV_AWS_145:all but the log bucket have a KMS key, which load balancers cannot write logs with
  bucket        = var.name
  force_destroy = !var.protected
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "replaced"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.days.replaced
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = var.days.current[*]
    content {
      id     = "current"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = toset(var.log_bucket == null ? [] : ["on"])

  bucket        = aws_s3_bucket.this.id
  target_bucket = var.log_bucket
  target_prefix = "s3/" # each line of a log names its bucket
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsAlone"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for one in var.statements : jsondecode(one)],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}
