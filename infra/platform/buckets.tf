# Terraform's states, what DVC keeps, MLflow's artifacts; and the logs of who reads and writes them.

locals {
  # A bucket's name is taken in the whole world: the account makes it this one's.
  kept = {
    states    = { current = null, replaced = 365 }
    dvc       = { current = null, replaced = 90 }
    artifacts = { current = null, replaced = 90 }
  }
  log_bucket      = "${var.name}-logs-${local.account}"
  by_this_account = { "aws:SourceAccount" = local.account }
  log_writers = {
    s3        = { service = "logging.s3.amazonaws.com", below = "s3/*", condition = local.by_this_account }
    balancers = { service = "logdelivery.elasticloadbalancing.amazonaws.com", below = "*/AWSLogs/${local.account}/*", condition = {} } # the path says whose
    flows     = { service = "delivery.logs.amazonaws.com", below = "AWSLogs/${local.account}/*", condition = local.by_this_account }
  }
}

module "logs" {
  source = "./modules/bucket"

  name      = local.log_bucket
  days      = { current = var.log_days, replaced = 30 }
  protected = var.protected
  statements = concat(
    [for name, writer in local.log_writers : jsonencode(merge({
      Sid       = "Write${title(name)}"
      Effect    = "Allow"
      Principal = { Service = writer.service }
      Action    = "s3:PutObject"
      Resource  = "arn:${local.partition}:s3:::${local.log_bucket}/${writer.below}"
    }, length(writer.condition) == 0 ? {} : { Condition = { StringEquals = writer.condition } }))],
    [jsonencode({
      Sid       = "LookForFlows"
      Effect    = "Allow"
      Principal = { Service = local.log_writers.flows.service }
      Action    = ["s3:GetBucketAcl", "s3:ListBucket"]
      Resource  = "arn:${local.partition}:s3:::${local.log_bucket}"
      Condition = { StringEquals = local.by_this_account }
    })],
  )
}

module "bucket" {
  for_each = local.kept
  source   = "./modules/bucket"

  name        = "${var.name}-${each.key}-${local.account}"
  kms_key_arn = aws_kms_key.this.arn
  log_bucket  = module.logs.name
  days        = each.value
  protected   = var.protected
}
