"""The texts that target.tf is made of; `targets` puts them together."""

KUBERNETES = """
variable "kubernetes" {
  description = "Where in a cluster it runs, and how it is reached; modules/service/kubernetes/extras.tf describes each."
  type = object({
    context           = optional(string)
    namespace         = optional(string)
    address           = optional(string)
    ingress_class     = optional(string)
    tls_secret        = optional(string)
    gateway           = optional(object({ name = string, namespace = string }))
    load_balancer     = optional(bool)
    client_namespaces = optional(set(string))
    client_cidrs      = optional(set(string))
    image_pull_secret = optional(string)
    cpu_percent       = optional(number)
    ready_seconds     = optional(number)
    drain_seconds     = optional(number)
    service_monitor   = optional(map(string))
  })
  nullable = false
}

# The cluster is the one of the kubeconfig: KUBECONFIG, else the user's own. No credential is in a file here.
provider "kubectl" {
  config_context = var.kubernetes.context
}
"""
AWS = """
variable "aws" {
  description = "Where in AWS it runs; modules/service/aws/extras.tf describes each."
  type = object({
    region                   = string
    vpc_id                   = string
    load_balancer_subnet_ids = set(string)
    server_subnet_ids        = set(string)
    certificate_arn          = string
    domain                   = string
    zone_id                  = optional(string)
    client_cidrs             = set(string)
    https_port               = optional(number)
    internal                 = optional(bool)
    access_log_bucket        = optional(string)
    kms_key_arn              = optional(string)
    permissions_boundary_arn = optional(string)
    secret_key_arns          = optional(set(string))
    registry_credentials_arn = optional(string)
    log_days                 = optional(number)
    scaling                  = optional(object({ cpu_percent = number, requests_per_minute = number }))
    alarms = optional(object({
      error_percent   = optional(number)
      latency_seconds = optional(number)
      topic_arns      = optional(set(string))
    }))
  })
  nullable = false
}

# The account is the one of the credentials: AWS_PROFILE, or what a runner's role gives.
provider "aws" {
  region = var.aws.region

  default_tags {
    tags = { model = var.name, environment = local.environment }
  }
}
"""
REQUIRED = """
  required_providers {{
    {provider} = {{
      source  = "{source}"
      version = "{version}" # this one: no lock file is kept, as its hashes differ by where a provider comes from
    }}
  }}
"""
WHOLE = """\
# How {name} runs in {environment}. The source is a literal: Terraform takes no variable there.

terraform {{
  required_version = ">= 1.11"
{required}
{backend}
}}
{provider}
module "service" {{
  source = "../../modules/service/{target}"

  name         = var.name
  environment  = local.environment
  pin          = local.pin
  port         = var.port
  replicas     = var.replicas
  cpu          = var.cpu
  memory_mb    = var.memory_mb
  strategy     = var.strategy
  env          = var.env
  secrets      = var.secrets
  token_hashes = var.token_hashes
{given}}}
"""
