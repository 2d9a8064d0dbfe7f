# What only this target knows.

variable "host" {
  description = "The address of the Docker host that clients use; 0.0.0.0 lets other machines in, which a token is asked of unless env says MERGELINE_OPEN."
  type        = string
  nullable    = false
  default     = "127.0.0.1"

  validation {
    condition     = can(regex("^[0-9]{1,3}(\\.[0-9]{1,3}){3}$", var.host))
    error_message = "host is an IPv4 address of the Docker host."
  }
}

variable "gateway_image" {
  description = "The image of HAProxy, by digest, or the id of one that the engine has; the default is the long-term release 3.4.4."
  type        = string
  nullable    = false
  default     = "haproxy@sha256:6877fcd766a4e85559158c945b4080e1e8b00874391086e57e2b9fc11bb54625"

  validation {
    condition     = can(regex("^([^@ ]+@)?sha256:[0-9a-f]{64}$", var.gateway_image))
    error_message = "gateway_image is repository@sha256:... or the sha256:... of a local image: a tag may move."
  }
}
