# What this environment runs: its pin, which a commit moves. How it runs: target.tf and terraform.tfvars.

variable "name" {
  description = "The model's name."
  type        = string
  nullable    = false
}

variable "port" {
  description = "The port that clients use."
  type        = number
  nullable    = false
}

variable "replicas" {
  description = "How many servers run, at least and at most."
  type        = object({ min = number, max = number })
  nullable    = false
  default     = { min = 1, max = 1 }
}

variable "env" {
  description = "Environment variables of the server; nothing secret."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "secrets" {
  description = "Environment variables of the server, by where the target keeps their values."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "pin_file" {
  description = "Another file than this folder's pin.json; `model deploy` uses it to go back when a release fails."
  type        = string
  default     = null
}

locals {
  environment = basename(abspath(path.module))
  pin         = jsondecode(file(coalesce(var.pin_file, "${path.module}/pin.json")))
}

output "url" {
  description = "Where clients reach the server."
  value       = module.service.url
}

output "release_id" {
  description = "The release that was rolled out; null where none is pinned."
  value       = module.service.release_id
}

output "revision" {
  description = "Changes with every rollout."
  value       = module.service.revision
}
