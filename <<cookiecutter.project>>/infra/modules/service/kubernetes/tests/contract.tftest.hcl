# What every target promises. The same file runs against each module.

# Nothing is reached: a mock that a module has no use for is neither installed nor asked.
mock_provider "aws" {}
mock_provider "docker" {}
mock_provider "kubectl" {}

variables {
  name        = "flight-delays"
  environment = "staging"
  port        = 8101
  pin = {
    release = {
      id    = "1111111111111111111111111111111111111111111111111111111111111111"
      image = "registry.example/flight-delays@sha256:2222222222222222222222222222222222222222222222222222222222222222"
      model = {
        name      = "flight-delays"
        bundle_id = "3333333333333333333333333333333333333333333333333333333333333333"
      }
    }
    experiment = null
  }

  token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]

  # What one target demands, the others do not read.
  vpc_id                   = "vpc-0123456789abcdef0"
  load_balancer_subnet_ids = ["subnet-0a", "subnet-0b"]
  server_subnet_ids        = ["subnet-0c", "subnet-0d"]
  certificate_arn          = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
  domain                   = "delays.example.org"
  client_cidrs             = ["10.0.0.0/8"]
}

run "reports_the_pinned_release" {
  command = plan

  assert {
    condition     = output.release_id == var.pin.release.id
    error_message = "release_id is the pinned release's."
  }
}

run "starts_without_a_release" {
  command = plan

  variables {
    pin = { release = null, experiment = null }
  }

  assert {
    condition     = output.release_id == null
    error_message = "An environment without a release reports none."
  }
}

run "refuses_more_minimum_than_maximum_replicas" {
  command = plan

  variables {
    replicas = { min = 3, max = 2 }
  }

  expect_failures = [var.replicas]
}

run "refuses_no_replica" {
  command = plan

  variables {
    replicas = { min = 0, max = 2 }
  }

  expect_failures = [var.replicas]
}

run "refuses_a_name_that_is_no_resource_name" {
  command = plan

  variables {
    name = "Flight_Delays"
    pin  = { release = null, experiment = null }
  }

  expect_failures = [var.name]
}

run "refuses_a_release_of_another_model" {
  command = plan

  variables {
    name = "train-delays"
  }

  expect_failures = [var.pin]
}

run "refuses_a_release_without_a_hash" {
  command = plan

  variables {
    pin = {
      release    = { id = "latest", model = { name = "flight-delays", bundle_id = "latest" } }
      experiment = null
    }
  }

  expect_failures = [var.pin]
}

run "takes_an_experiment_beside_the_release" {
  command = plan

  variables {
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        image = "registry.example/flight-delays@sha256:2222222222222222222222222222222222222222222222222222222222222222"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = {
        release = {
          id    = "4444444444444444444444444444444444444444444444444444444444444444"
          image = "registry.example/flight-delays@sha256:5555555555555555555555555555555555555555555555555555555555555555"
          model = { name = "flight-delays", bundle_id = "6666666666666666666666666666666666666666666666666666666666666666" }
        }
        kind  = "canary"
        share = 0.1
      }
    }
  }

  assert {
    condition     = output.release_id == var.pin.release.id
    error_message = "What is pinned is the release, not the experiment."
  }
}

run "refuses_an_experiment_without_a_release" {
  command = plan

  variables {
    pin = {
      release = null
      experiment = {
        release = {
          id    = "1111111111111111111111111111111111111111111111111111111111111111"
          model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
        }
        kind  = "ab"
        share = 0.1
      }
    }
  }

  expect_failures = [var.pin]
}

run "refuses_an_unknown_strategy" {
  command = plan

  variables {
    strategy = "delete_then_create"
  }

  expect_failures = [var.strategy]
}

run "refuses_a_token_in_place_of_its_hash" {
  command = plan

  variables {
    token_hashes = ["correct horse battery staple"]
  }

  expect_failures = [var.token_hashes]
}

run "refuses_a_variable_that_is_both_plain_and_secret" {
  command = plan

  variables {
    env     = { KEY = "plain" }
    secrets = { KEY = "/run/secrets/key" }
  }

  expect_failures = [var.secrets]
}

run "refuses_a_privileged_port" {
  command = plan

  variables {
    port = 80
  }

  expect_failures = [var.port]
}

run "refuses_too_little_memory" {
  command = plan

  variables {
    memory_mb = 64
  }

  expect_failures = [var.memory_mb]
}
