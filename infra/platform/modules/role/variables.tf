variable "name" {
  description = "The role's name."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) <= 64
    error_message = "name has at most 64 characters."
  }
}

variable "description" {
  description = "Who it is for."
  type        = string
  nullable    = false
}

variable "oidc_provider_arn" {
  description = "GitHub's OIDC provider in this account."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "The repository whose jobs may take it: OWNER/NAME."
  type        = string
  nullable    = false

  validation {
    condition     = length(split("/", var.repository)) == 2 && !strcontains(var.repository, "*")
    error_message = "repository is OWNER/NAME, without a wildcard."
  }
}

variable "subjects" {
  description = "What a job's token says after the repository: pull_request, ref:refs/heads/main, environment:production."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.subjects) >= 1 && alltrue([for one in var.subjects : one == "pull_request" || can(regex("^(ref|environment):[^*]", one))])
    error_message = "A subject is pull_request, ref:... or environment:..., and more than a wildcard."
  }
}

variable "claims" {
  description = "What else the token must say, by claim: ref, environment."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.claims) : contains(["ref", "environment"], name)])
    error_message = "A claim is ref or environment."
  }
}

variable "statements" {
  description = "What the role may do: statements of a policy, each in JSON."
  type        = list(string)
  nullable    = false

  validation {
    condition     = alltrue([for one in var.statements : can(jsondecode(one).Effect)])
    error_message = "A statement is JSON with an Effect."
  }
}
