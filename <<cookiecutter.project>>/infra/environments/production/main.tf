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

variable "cpu" {
  description = "Processors of one server."
  type        = number
  nullable    = false
  default     = 1
}

variable "memory_mb" {
  description = "Memory of one server in MB (10^6 bytes)."
  type        = number
  nullable    = false
  default     = 512
}

variable "strategy" {
  description = "How a new release replaces the old one: rolling or blue_green."
  type        = string
  nullable    = false
  default     = "blue_green"
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

variable "token_hashes" {
  description = "The sha256 (hex) of each bearer token that the server accepts."
  type        = set(string)
  nullable    = false
  default     = []
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

output "size" {
  description = "What it asks for: servers at least and at most, processors and MB of memory of each."
  value       = { replicas = var.replicas, cpu = var.cpu, memory_mb = var.memory_mb }
}
