# The interface of every target: this file is byte-equal in all modules/service/*.

output "url" {
  description = "Where clients reach the server."
  value       = local.url
}

output "release_id" {
  description = "The release that was rolled out; null where none is pinned."
  value       = try(var.pin.release.id, null)
}

output "revision" {
  description = "Changes with every rollout."
  value       = local.revision
}
