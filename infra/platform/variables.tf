variable "name" {
  description = "What the platform is called: part of every resource's name."
  type        = string
  nullable    = false
  default     = "mergeline"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name starts with a letter, ends with a letter or digit, and holds 3 to 20 of a-z, 0-9 and '-'."
  }
}

variable "region" {
  description = "The region that all of it is in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region looks like eu-central-1."
  }
}

variable "projects" {
  description = "The generated repositories, by the project's name: where each is on GitHub, its environments in AWS, and the Route 53 zones that they keep records in."
  type = map(object({
    repository   = string
    environments = optional(set(string), ["staging", "production"])
    zone_ids     = optional(set(string), [])
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.projects) : can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", name))])
    error_message = "A key of projects is a project's name: 3 to 32 of a-z, 0-9 and '-'."
  }

  validation {
    condition     = alltrue([for project in var.projects : can(regex("^[a-z0-9-]+/[a-z0-9._-]+$", project.repository))])
    error_message = "projects.*.repository is OWNER/NAME in lower case, as image registries want it."
  }

  validation {
    condition     = length(distinct([for project in var.projects : project.repository])) == length(var.projects)
    error_message = "No two projects have the same repository."
  }

  validation {
    condition     = alltrue(flatten([for project in var.projects : [for name in project.environments : can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", name)) && !contains(["read", "release"], name)]]))
    error_message = "projects.*.environments holds names of 2 to 16 of a-z, 0-9 and '-', and neither read nor release."
  }
}

variable "oidc_provider_arn" {
  description = "GitHub's OIDC provider where the account has it: it takes one only. None: the platform makes it."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn is arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "network" {
  description = "The VPC's addresses, the letters of its two zones, and whether each zone has a NAT gateway of its own: dearer, and a zone's loss is its own."
  type = object({
    cidr         = optional(string, "10.42.0.0/16")
    zones        = optional(set(string), ["a", "b"])
    nat_per_zone = optional(bool, false)
  })
  nullable = false
  default  = {}

  validation {
    condition     = can(cidrsubnet(var.network.cidr, 4, 15)) && try(tonumber(split("/", var.network.cidr)[1]) >= 16 && tonumber(split("/", var.network.cidr)[1]) <= 22, false)
    error_message = "network.cidr is an IPv4 range from /16 to /22, such as 10.42.0.0/16."
  }

  validation {
    condition     = length(var.network.zones) == 2 && alltrue([for letter in var.network.zones : can(regex("^[a-z]$", letter))])
    error_message = "network.zones holds two letters, such as a and b."
  }
}

variable "mlflow" {
  description = "The MLflow server: its image by digest with mlflow, psycopg2 and boto3, its name and certificate, who may reach it, and whether the workflows' runners can: GitHub's own cannot. None: no server yet."
  type = object({
    image           = string
    domain          = string
    certificate_arn = string
    zone_id         = optional(string)
    client_cidrs    = set(string)
    for_workflows   = optional(bool, false)
    cpu             = optional(number, 1024)
    memory          = optional(number, 3072)
  })
  default = null

  validation {
    condition     = var.mlflow == null || can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.mlflow.image))
    error_message = "mlflow.image is an image by digest: REPOSITORY@sha256:..."
  }

  validation {
    condition     = var.mlflow == null || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.mlflow.domain))
    error_message = "mlflow.domain is a lower-case DNS name such as mlflow.example.org."
  }

  validation {
    condition     = var.mlflow == null || can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.mlflow.certificate_arn))
    error_message = "mlflow.certificate_arn is the ARN of an ACM certificate: arn:aws:acm:REGION:ACCOUNT:certificate/ID."
  }

  validation {
    condition     = var.mlflow == null || try(length(var.mlflow.client_cidrs) >= 1 && alltrue([for range in var.mlflow.client_cidrs : can(cidrnetmask(range)) && range != "0.0.0.0/0"]), false)
    error_message = "mlflow.client_cidrs holds at least one IPv4 range such as 10.0.0.0/8, and never all addresses: the server asks nobody who they are."
  }
}

variable "database" {
  description = "MLflow's PostgreSQL: its size, and whether a second one stands by in another zone."
  type = object({
    class      = optional(string, "db.t4g.small")
    storage_gb = optional(number, 20)
    multi_az   = optional(bool, true)
  })
  nullable = false
  default  = {}

  validation {
    condition     = startswith(var.database.class, "db.") && var.database.storage_gb >= 20
    error_message = "database.class starts with db., and database.storage_gb is at least 20."
  }
}

variable "budget" {
  description = "What a month may cost in USD, and who is told at 80% and when the forecast is above it."
  type        = object({ monthly_usd = number, emails = set(string) })
  nullable    = false

  validation {
    condition     = var.budget.monthly_usd > 0
    error_message = "budget.monthly_usd is above 0."
  }

  validation {
    condition     = length(var.budget.emails) >= 1 && length(var.budget.emails) <= 10 && alltrue([for address in var.budget.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "budget.emails holds one to ten addresses: an alarm that nobody hears is none."
  }
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_days)
    error_message = "log_days is a retention of 30 days or more that CloudWatch has, such as 90 or 365."
  }
}

variable "protected" {
  description = "Whether what holds data refuses to be destroyed; false is for trying it out."
  type        = bool
  nullable    = false
  default     = true
}
