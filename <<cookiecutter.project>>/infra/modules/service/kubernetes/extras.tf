# What only this target knows: the cluster, its registry's secret and its way in are there before it.

variable "namespace" {
  description = "The namespace that the module makes and keeps for itself. None: the model's name and the environment's."
  type        = string
  default     = null

  validation {
    condition     = var.namespace == null || can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace starts with a letter, ends with a letter or digit, and holds at most 63 of a-z, 0-9 and '-'."
  }
}

variable "host" {
  description = "The name that clients use, for an Ingress. None: the Service is reached inside the cluster only."
  type        = string
  default     = null

  validation {
    condition     = var.host == null || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.host))
    error_message = "host is a lower-case DNS name such as delays.example.org."
  }
}

variable "ingress" {
  description = "The Ingress: its class, and the Secret with the certificate for host; none: the cluster's defaults."
  type        = object({ class = optional(string), tls_secret = optional(string) })
  nullable    = false
  default     = {}
}

variable "client_namespaces" {
  description = "Namespaces whose pods may call the server, beside its own: the ingress controller's, for one."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for name in var.client_namespaces : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "client_namespaces holds names of namespaces."
  }
}

variable "image_pull_secret" {
  description = "The Secret in the namespace with the registry's credentials. None: the nodes can pull without."
  type        = string
  default     = null
}

variable "cpu_percent" {
  description = "The percent of the requested processor that the autoscaler keeps; it needs the cluster's metrics server."
  type        = number
  nullable    = false
  default     = 60

  validation {
    condition     = var.cpu_percent > 0 && var.cpu_percent < 100
    error_message = "cpu_percent is between 0 and 100."
  }
}

variable "rollout_seconds" {
  description = "How long a rollout may take before it has failed."
  type        = number
  nullable    = false
  default     = 300

  validation {
    condition     = var.rollout_seconds >= 30
    error_message = "rollout_seconds is at least 30: a server needs time to become ready."
  }
}
