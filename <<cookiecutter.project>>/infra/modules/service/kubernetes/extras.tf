# What only this target knows.

variable "address" {
  description = "The URL at which clients reach the servers from outside, such as https://delays.example.org. None: only pods of the cluster reach them."
  type        = string
  default     = null

  validation {
    condition     = var.address == null || can(regex("^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", var.address))
    error_message = "address is http:// or https://, a lower-case host, perhaps a port, and no path."
  }
}

variable "ingress_class" {
  description = "The class of an Ingress for address. None: no Ingress."
  type        = string
  default     = null

  validation {
    condition     = var.ingress_class == null || var.address != null
    error_message = "An Ingress wants an address: its host is the name that it leads from."
  }
}

variable "tls_secret" {
  description = "The Secret, in the namespace, with the certificate of the Ingress. None: the controller's own, or no TLS."
  type        = string
  default     = null

  validation {
    condition     = var.tls_secret == null || var.ingress_class != null
    error_message = "tls_secret is the certificate of an Ingress: name its ingress_class too."
  }
}

variable "gateway" {
  description = "A Gateway (gateway.networking.k8s.io) that an HTTPRoute joins to address. None: no HTTPRoute."
  type        = object({ name = string, namespace = string })
  default     = null

  validation {
    condition     = var.gateway == null || (var.address != null && var.ingress_class == null)
    error_message = "A gateway wants an address, and takes the place of an Ingress."
  }
}

variable "load_balancer" {
  description = "Whether the Service asks the cluster for a load balancer of its own, for clusters without Ingress and Gateway; address says where it answers."
  type        = bool
  nullable    = false
  default     = false
}

variable "namespace" {
  description = "A namespace that is there, which the module leaves alone. None: it makes and removes NAME-ENVIRONMENT."
  type        = string
  default     = null

  validation {
    condition     = var.namespace == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace holds up to 63 of a-z, 0-9 and '-', with none of these '-' at an end."
  }
}

variable "context" {
  description = "The context of the kubeconfig. None: its current one."
  type        = string
  default     = null
}

variable "client_namespaces" {
  description = "Namespaces whose pods may ask the servers, beside their own: the Ingress controller's, Prometheus's."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for name in var.client_namespaces : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "client_namespaces holds names of namespaces."
  }
}

variable "client_cidrs" {
  description = "Address ranges outside the cluster that may ask the servers, for a load balancer or a controller that is no pod."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for range in var.client_cidrs : can(cidrhost(range, 0))])
    error_message = "client_cidrs holds address ranges such as 10.0.0.0/8."
  }
}

variable "image_pull_secret" {
  description = "The Secret, in the namespace, with the registry's credentials. None: the nodes have them, or need none."
  type        = string
  default     = null
}

variable "cpu_percent" {
  description = "The share of cpu that the autoscaler keeps the servers at."
  type        = number
  nullable    = false
  default     = 60

  validation {
    condition     = var.cpu_percent > 0 && var.cpu_percent < 100
    error_message = "cpu_percent is between 0 and 100."
  }
}

variable "ready_seconds" {
  description = "How long a new server may take until it is ready, the pull of its image included."
  type        = number
  nullable    = false
  default     = 300

  validation {
    condition     = var.ready_seconds >= 10 && floor(var.ready_seconds) == var.ready_seconds
    error_message = "ready_seconds is a whole number from 10."
  }
}

variable "drain_seconds" {
  description = "How long a server that is to end goes on as before, until all that lead to it have noticed."
  type        = number
  nullable    = false
  default     = 5

  validation {
    condition     = var.drain_seconds >= 1 && floor(var.drain_seconds) == var.drain_seconds
    error_message = "drain_seconds is a whole number from 1."
  }
}

variable "service_monitor" {
  description = "Labels of a ServiceMonitor by which Prometheus's operator picks it up; {} where it asks for none. None: no ServiceMonitor."
  type        = map(string)
  default     = null
}
