# What only this target knows: the network and the certificate are there before it.

variable "vpc_id" {
  description = "The VPC that the load balancer and the servers are in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id looks like vpc-0123456789abcdef0."
  }
}

variable "load_balancer_subnet_ids" {
  description = "Subnets of the load balancer in two or more availability zones: public ones, unless it is internal."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.load_balancer_subnet_ids) >= 2 && alltrue([for id in var.load_balancer_subnet_ids : startswith(id, "subnet-")])
    error_message = "load_balancer_subnet_ids holds at least two ids that start with subnet-."
  }
}

variable "server_subnet_ids" {
  description = "Private subnets of the servers, with a way to the image registry, CloudWatch Logs and Secrets Manager (NAT or endpoints)."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.server_subnet_ids) >= 1 && alltrue([for id in var.server_subnet_ids : startswith(id, "subnet-")])
    error_message = "server_subnet_ids holds at least one id that starts with subnet-."
  }
}

variable "certificate_arn" {
  description = "The ACM certificate for domain, in the region of the load balancer."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "certificate_arn is the ARN of an ACM certificate: arn:aws:acm:REGION:ACCOUNT:certificate/ID."
  }
}

variable "domain" {
  description = "The name that clients use and the certificate is for; its DNS record points to the load balancer (zone_id)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is a lower-case DNS name such as delays.example.org."
  }
}

variable "zone_id" {
  description = "The Route 53 zone in which the module keeps the domain's record. None: you keep it yourself."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null || can(regex("^[A-Z0-9]{8,32}$", var.zone_id))
    error_message = "zone_id is the id of a Route 53 zone, such as Z0123456789ABCDEFGHIJ."
  }
}

variable "client_cidrs" {
  description = "The address ranges that may reach the load balancer: the server asks nobody who they are."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.client_cidrs) >= 1 && alltrue([for range in var.client_cidrs : can(cidrnetmask(range))])
    error_message = "client_cidrs holds at least one IPv4 range such as 10.0.0.0/8."
  }
}

variable "https_port" {
  description = "The port that clients use in place of port, such as 443."
  type        = number
  default     = null

  validation {
    condition     = var.https_port == null || try(var.https_port >= 1 && var.https_port <= 65535 && var.https_port != 80, false)
    error_message = "https_port is from 1 to 65535, and not 80, which redirects to it."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  nullable    = false
  default     = true
}

variable "access_log_bucket" {
  description = "The S3 bucket for the load balancer's access logs; its policy lets the load balancer write. None: no access logs."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "A KMS key for the logs, whose policy lets CloudWatch Logs use it. None: the module makes one."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "secret_key_arns" {
  description = "The KMS keys of your own that encrypt the secrets; none where Secrets Manager's own key does."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", arn))])
    error_message = "secret_key_arns holds ARNs of KMS keys: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "permissions_boundary_arn" {
  description = "The policy that limits what the roles of the servers can ever do; where the organisation asks for one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of a policy: arn:aws:iam::ACCOUNT:policy/NAME."
  }
}

variable "registry_credentials_arn" {
  description = "The secret with user name and password of a private registry other than ECR; none for ECR and public images."
  type        = string
  default     = null

  validation {
    condition     = var.registry_credentials_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:", var.registry_credentials_arn))
    error_message = "registry_credentials_arn is the ARN of a secret: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
  }
}

variable "log_days" {
  description = "Days that CloudWatch keeps the servers' logs."
  type        = number
  nullable    = false
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_days)
    error_message = "log_days is a retention that CloudWatch has, such as 30, 90 or 365."
  }
}

variable "scaling" {
  description = "What the autoscaler keeps: percent of processor, and requests a minute of each server."
  type        = object({ cpu_percent = number, requests_per_minute = number })
  nullable    = false
  default     = { cpu_percent = 60, requests_per_minute = 60000 }

  validation {
    condition     = var.scaling.cpu_percent > 0 && var.scaling.cpu_percent < 100 && var.scaling.requests_per_minute > 0
    error_message = "scaling.cpu_percent is between 0 and 100, scaling.requests_per_minute above 0."
  }
}

variable "alarms" {
  description = "When to alarm: percent of answers that are 5xx, seconds that the slowest percent of answers takes; and the SNS topics to tell."
  type = object({
    error_percent   = optional(number, 1)
    latency_seconds = optional(number, 0.5)
    topic_arns      = optional(set(string), [])
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.alarms.error_percent > 0 && var.alarms.error_percent < 100 && var.alarms.latency_seconds > 0
    error_message = "alarms.error_percent is between 0 and 100, alarms.latency_seconds above 0."
  }
}
