variable "name" {
  description = "The bucket's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name holds 3 to 63 of a-z, 0-9 and '-'."
  }
}

variable "kms_key_arn" {
  description = "The key that encrypts what is kept; none: S3's own, the only one that load balancers write logs with."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a KMS key."
  }
}

variable "log_bucket" {
  description = "Where S3 writes who reads and writes; none: nowhere, as for the log bucket itself."
  type        = string
  default     = null
}

variable "days" {
  description = "Days after which objects go (null: never), and after which replaced versions go."
  type        = object({ current = optional(number), replaced = number })
  nullable    = false

  validation {
    condition     = var.days.replaced >= 1 && coalesce(var.days.current, 1) >= 1
    error_message = "days.current and days.replaced are at least 1."
  }
}

variable "statements" {
  description = "More statements of the bucket's policy, each in JSON."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for one in var.statements : can(jsondecode(one).Effect)])
    error_message = "A statement is JSON with an Effect."
  }
}

variable "protected" {
  description = "Whether a bucket with objects refuses to be destroyed."
  type        = bool
  nullable    = false
}
