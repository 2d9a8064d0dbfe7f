variable "platform" {
  description = "What the platform is called."
  type        = string
  nullable    = false
}

variable "name" {
  description = "The project's name, which is the model's."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "The project on GitHub: OWNER/NAME. Its images are called so too."
  type        = string
  nullable    = false
}

variable "environments" {
  description = "Its environments that run in AWS."
  type        = set(string)
  nullable    = false
}

variable "zone_ids" {
  description = "The Route 53 zones in which its environments keep their records."
  type        = set(string)
  nullable    = false
}

variable "region" {
  description = "The region of all of it."
  type        = string
  nullable    = false
}

variable "oidc_provider_arn" {
  description = "GitHub's OIDC provider in this account."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts buckets and images."
  type        = string
  nullable    = false
}

variable "state_bucket" {
  description = "The bucket of Terraform's states."
  type        = string
  nullable    = false
}

variable "dvc_bucket" {
  description = "The bucket of what DVC keeps."
  type        = string
  nullable    = false
}

variable "protected" {
  description = "Whether a registry with images refuses to be destroyed."
  type        = bool
  nullable    = false
}
