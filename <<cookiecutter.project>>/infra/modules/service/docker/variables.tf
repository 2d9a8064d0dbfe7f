# The interface of every target: this file is byte-equal in all modules/service/*.

variable "name" {
  description = "The model's name: part of every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name starts with a letter, ends with a letter or digit, and holds 3 to 32 of a-z, 0-9 and '-'."
  }
}

variable "environment" {
  description = "Where it runs: the folder's name below infra/environments."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.environment))
    error_message = "environment starts with a letter, ends with a letter or digit, and holds 2 to 16 of a-z, 0-9 and '-'."
  }
}

variable "pin" {
  description = "What pin.json holds: the release that runs, and the experiment beside it; both null at first."
  type = object({
    release = object({
      id    = string
      image = optional(string)
      model = object({ name = string, bundle_id = string })
    })
    experiment = object({
      release = object({
        id    = string
        image = optional(string)
        model = object({ name = string, bundle_id = string })
      })
      kind   = string
      share  = number
      key    = optional(string)
      limits = optional(map(number), {})
    })
  })
  nullable = false

  validation {
    condition     = var.pin.release == null || can(regex("^[0-9a-f]{64}$", var.pin.release.id))
    error_message = "pin.release.id is a sha256 in hex."
  }

  validation {
    condition     = var.pin.release == null || can(regex("^[0-9a-f]{64}$", var.pin.release.model.bundle_id))
    error_message = "pin.release.model.bundle_id is a sha256 in hex."
  }

  validation {
    condition     = var.pin.release == null || try(var.pin.release.model.name, null) == var.name
    error_message = "pin.release is a release of this model."
  }

  validation {
    condition     = var.pin.experiment == null || var.pin.release != null
    error_message = "An experiment runs beside a release, never alone."
  }
}

variable "replicas" {
  description = "How many servers run; the autoscaler of a target that has one moves between the two."
  type        = object({ min = number, max = number })
  nullable    = false
  default     = { min = 1, max = 1 }

  validation {
    condition     = var.replicas.min >= 1
    error_message = "replicas.min is at least 1."
  }

  validation {
    condition     = var.replicas.max >= var.replicas.min
    error_message = "replicas.max is not below replicas.min."
  }
}

variable "cpu" {
  description = "Processors of one server; local does not enforce it."
  type        = number
  nullable    = false
  default     = 1

  validation {
    condition     = var.cpu > 0
    error_message = "cpu is above 0."
  }
}

variable "memory_mb" {
  description = "Memory of one server in MB (10^6 bytes); local does not enforce it."
  type        = number
  nullable    = false
  default     = 512

  validation {
    condition     = var.memory_mb >= 128
    error_message = "memory_mb is at least 128: the server needs about 80."
  }
}

variable "strategy" {
  description = "How a new release replaces the old one: rolling, or blue_green (all new servers are ready before an old one goes)."
  type        = string
  nullable    = false
  default     = "blue_green"

  validation {
    condition     = contains(["rolling", "blue_green"], var.strategy)
    error_message = "strategy is rolling or blue_green."
  }
}

variable "env" {
  description = "Environment variables of the server; nothing secret, for they are in the state and in plans."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.env) : can(regex("^[A-Z][A-Z0-9_]*$", key))])
    error_message = "A key of env is an upper-case variable name."
  }
}

variable "secrets" {
  description = "Environment variables of the server whose values Terraform never sees, by where the target keeps them: a file (local, docker), a Secret's name/key (kubernetes), an ARN (aws)."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.secrets) : can(regex("^[A-Z][A-Z0-9_]*$", key))])
    error_message = "A key of secrets is an upper-case variable name."
  }

  validation {
    condition     = length(setintersection(keys(var.secrets), keys(var.env))) == 0
    error_message = "A variable is in env or in secrets, not in both."
  }
}

variable "token_hashes" {
  description = "The sha256 (hex) of each bearer token that the server accepts; none where only this machine reaches it, or env says MERGELINE_OPEN."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for hash in var.token_hashes : can(regex("^[0-9a-f]{64}$", hash))])
    error_message = "A token's hash is a sha256 in hex, never the token."
  }
}

variable "port" {
  description = "The port that clients use."
  type        = number
  nullable    = false

  validation {
    condition     = var.port >= 1024 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "port is a whole number from 1024 to 65535."
  }
}
