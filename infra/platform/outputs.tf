output "projects" {
  description = "What each project's .github/platform.json holds: no secret, and all that model doctor asks for."
  value = { for name, project in var.projects : name => {
    version                  = 1
    project                  = name
    region                   = var.region
    state_bucket             = module.bucket["states"].name
    dvc_remote               = "s3://${module.bucket["dvc"].name}/${name}"
    kms_key_arn              = aws_kms_key.this.arn
    permissions_boundary_arn = module.project[name].permissions_boundary_arn
    network = {
      vpc_id                   = aws_vpc.this.id
      load_balancer_subnet_ids = local.subnet_ids.public
      server_subnet_ids        = local.subnet_ids.private
      access_log_bucket        = module.logs.name
    }
    environments = sort(tolist(project.environments))
    variables = merge(
      {
        AWS_REGION = var.region
        AWS_ROLES  = jsonencode(module.project[name].roles)
        REGISTRY   = module.project[name].registry
      },
      try(var.mlflow.for_workflows, false) ? { MLFLOW_TRACKING_URI = local.mlflow_url } : {},
    )
  } }
}

output "mlflow_url" {
  description = "Where MLflow answers; null where there is no server yet."
  value       = local.mlflow_url
}

output "images" {
  description = "The registry's repository for MLflow's own image."
  value       = aws_ecr_repository.mlflow.repository_url
}
