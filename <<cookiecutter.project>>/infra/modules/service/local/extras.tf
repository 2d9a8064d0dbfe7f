# What only this target knows.

variable "host" {
  description = "The address to listen on; 0.0.0.0 lets other machines in, which a token is asked of unless env says MERGELINE_OPEN."
  type        = string
  nullable    = false
  default     = "127.0.0.1"

  validation {
    condition     = can(regex("^[0-9]{1,3}(\\.[0-9]{1,3}){3}$", var.host))
    error_message = "host is an IPv4 address of this machine."
  }
}
