output "roles" {
  description = "The roles of its workflows: read, release, and one for each environment."
  value       = merge({ read = module.read.arn, release = module.release.arn }, { for name, role in module.deploy : name => role.arn })
}

output "registry" {
  description = "The registry of its images, without the repository's name."
  value       = split("/", aws_ecr_repository.this.repository_url)[0]
}

output "permissions_boundary_arn" {
  description = "The policy that every role of its servers must have as its boundary."
  value       = aws_iam_policy.boundary.arn
}
