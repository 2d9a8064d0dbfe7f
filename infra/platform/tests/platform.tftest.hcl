# What the platform promises, and what it refuses; tests/unit/platform applies it.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = {
      arn            = "arn:aws:ecr:eu-central-1:123456789012:repository/octo/flight-delays"
      repository_url = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/octo/flight-delays"
    }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mergeline-flight-delays-servers" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/made" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::made" }
  }
}

variables {
  region   = "eu-central-1"
  projects = { flight-delays = { repository = "octo/flight-delays" } }
  budget   = { monthly_usd = 400, emails = ["ops@example.org"] }
}

run "starts_without_a_server_of_mlflow" {
  command = plan

  assert {
    condition     = output.mlflow_url == null && length(aws_ecs_service.mlflow) == 0 && length(aws_db_instance.mlflow) == 0
    error_message = "The image can only be pushed once its registry is there: the server comes later."
  }
}

run "tells_a_project_all_that_its_doctor_asks_for" {
  assert {
    condition     = output.projects["flight-delays"].dvc_remote == "s3://mergeline-dvc-123456789012/flight-delays" && jsonencode(output.projects["flight-delays"].environments) == jsonencode(["production", "staging"])
    error_message = "The output names the project's place in the DVC bucket, and its environments."
  }

  assert {
    condition     = keys(jsondecode(output.projects["flight-delays"].variables.AWS_ROLES)) == ["production", "read", "release", "staging"]
    error_message = "There is a role for reading, for releases, and for each environment."
  }

  assert {
    condition     = output.projects["flight-delays"].variables.REGISTRY == "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    error_message = "REGISTRY is the registry alone: release.yml adds the repository."
  }
}

run "gives_every_private_subnet_a_way_out" {
  command = plan

  variables {
    network = { nat_per_zone = true }
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2 && length(aws_subnet.this) == 4 && alltrue([for subnet in aws_subnet.this : subnet.map_public_ip_on_launch != true])
    error_message = "Two zones, a NAT gateway in each, and no address that anybody can reach."
  }
}

run "takes_the_identity_provider_that_the_account_has" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has one provider for GitHub, and a second one is refused."
  }
}

run "refuses_a_repository_that_is_a_wildcard" {
  command = plan

  variables {
    projects = { flight-delays = { repository = "octo/*" } }
  }

  expect_failures = [var.projects]
}

run "refuses_two_projects_of_one_repository" {
  command = plan

  variables {
    projects = { one-model = { repository = "octo/models" }, other-model = { repository = "octo/models" } }
  }

  expect_failures = [var.projects]
}

run "refuses_an_environment_that_is_called_as_another_role" {
  command = plan

  variables {
    projects = { flight-delays = { repository = "octo/flight-delays", environments = ["release"] } }
  }

  expect_failures = [var.projects]
}

run "refuses_mlflow_for_everybody" {
  command = plan

  variables {
    mlflow = {
      image           = "registry.example/mlflow@sha256:2222222222222222222222222222222222222222222222222222222222222222"
      domain          = "mlflow.example.org"
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
      client_cidrs    = ["0.0.0.0/0"]
    }
  }

  expect_failures = [var.mlflow]
}

run "refuses_an_image_by_its_tag" {
  command = plan

  variables {
    mlflow = {
      image           = "registry.example/mlflow:latest"
      domain          = "mlflow.example.org"
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
      client_cidrs    = ["10.0.0.0/8"]
    }
  }

  expect_failures = [var.mlflow]
}

run "refuses_a_budget_that_nobody_hears_of" {
  command = plan

  variables {
    budget = { monthly_usd = 400, emails = [] }
  }

  expect_failures = [var.budget]
}

run "refuses_a_network_that_is_too_small" {
  command = plan

  variables {
    network = { cidr = "10.42.0.0/24" }
  }

  expect_failures = [var.network]
}

run "refuses_a_single_zone" {
  command = plan

  variables {
    network = { zones = ["a"] }
  }

  expect_failures = [var.network]
}
