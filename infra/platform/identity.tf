# GitHub says who a job is, by a token that lasts minutes: no key of AWS is kept anywhere.

resource "aws_iam_openid_connect_provider" "github" {
  for_each = toset(var.oidc_provider_arn == null ? ["own"] : [])

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

module "project" {
  for_each = var.projects
  source   = "./modules/project"

  platform          = var.name
  name              = each.key
  repository        = each.value.repository
  environments      = each.value.environments
  zone_ids          = each.value.zone_ids
  region            = var.region
  oidc_provider_arn = try(aws_iam_openid_connect_provider.github["own"].arn, var.oidc_provider_arn)
  kms_key_arn       = aws_kms_key.this.arn
  state_bucket      = module.bucket["states"].name
  dvc_bucket        = module.bucket["dvc"].name
  protected         = var.protected
}
