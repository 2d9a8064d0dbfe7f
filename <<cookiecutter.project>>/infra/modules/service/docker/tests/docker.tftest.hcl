# What the target docker promises beyond the contract.

mock_provider "docker" {}

variables {
  name        = "flight-delays"
  environment = "staging"
  port        = 8101
  pin = {
    release = {
      id    = "1111111111111111111111111111111111111111111111111111111111111111"
      image = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
      model = {
        name      = "flight-delays"
        bundle_id = "3333333333333333333333333333333333333333333333333333333333333333"
      }
    }
    experiment = null
  }
}

run "runs_as_many_servers_as_asked" {
  command = plan

  variables {
    replicas = { min = 3, max = 4 }
  }

  assert {
    condition     = length(docker_container.server) == 3
    error_message = "One container per replica."
  }
}

run "gives_servers_no_privilege_and_no_way_out" {
  command = plan

  assert {
    condition     = alltrue([for one in docker_container.server : one.read_only && one.user == "10001:10001" && length(one.ports) == 0])
    error_message = "A server runs read-only, not as root, and publishes no port."
  }

  assert {
    condition     = docker_network.servers.internal
    error_message = "The servers' network is internal."
  }
}

run "listens_on_the_host_alone" {
  command = plan

  assert {
    condition     = output.url == "http://127.0.0.1:8101" && docker_container.gateway.ports[0].ip == "127.0.0.1"
    error_message = "Without being asked, the gateway is reachable from the Docker host only."
  }
}

run "runs_no_server_without_a_release" {
  command = plan

  variables {
    pin = { release = null, experiment = null }
  }

  assert {
    condition     = length(docker_container.server) == 0 && strcontains(local.gateway, "no release is pinned here")
    error_message = "Without a release the gateway says so."
  }
}

run "refuses_a_release_without_an_image" {
  command = plan

  variables {
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = null
    }
  }

  expect_failures = [docker_container.server]
}

run "refuses_to_let_others_in_without_a_token" {
  command = plan

  variables {
    host         = "0.0.0.0"
    token_hashes = []
  }

  expect_failures = [docker_container.gateway]
}

run "lets_others_in_without_a_token_where_it_is_told_to" {
  command = plan

  variables {
    host         = "0.0.0.0"
    token_hashes = []
    env          = { MERGELINE_OPEN = "1" }
  }

  assert {
    condition     = output.release_id == var.pin.release.id
    error_message = "An open service is a choice."
  }
}

run "refuses_a_gateway_by_tag" {
  command = plan

  variables {
    gateway_image = "haproxy:lts"
  }

  expect_failures = [var.gateway_image]
}

run "hands_experiment_and_tokens_to_the_servers" {
  command = plan

  variables {
    env          = { GREETING = "hello" }
    token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        image = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = {
        release = {
          id    = "4444444444444444444444444444444444444444444444444444444444444444"
          image = "sha256:5555555555555555555555555555555555555555555555555555555555555555"
          model = { name = "flight-delays", bundle_id = "6666666666666666666666666666666666666666666666666666666666666666" }
        }
        kind  = "canary"
        share = 0.1
      }
    }
  }

  assert {
    condition = alltrue([
      for one in docker_container.server :
      contains(one.env, "MERGELINE_EXPERIMENT=${jsonencode(var.pin.experiment)}") && contains(one.env, "GREETING=hello") && contains(one.env, "MERGELINE_TOKEN_HASHES=4444444444444444444444444444444444444444444444444444444444444444") && !contains(one.env, "MERGELINE_OPEN=1")
    ])
    error_message = "A server gets the experiment as the pin has it and the tokens' hashes, beside its own variables."
  }

  assert {
    condition = alltrue([
      for one in docker_container.server :
      contains(one.env, "MERGELINE_BUNDLES=/bundles") && [for volume in one.volumes : volume.read_only] == [true]
    ]) && keys(docker_volume.bundle) == ["6666666666666666666666666666666666666666666666666666666666666666"]
    error_message = "A server reads the experiment's bundle from a volume that it cannot write."
  }
}

run "refuses_an_experiment_without_an_image" {
  command = plan

  variables {
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        image = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = {
        release = {
          id    = "4444444444444444444444444444444444444444444444444444444444444444"
          model = { name = "flight-delays", bundle_id = "6666666666666666666666666666666666666666666666666666666666666666" }
        }
        kind  = "ab"
        share = 0.1
      }
    }
  }

  expect_failures = [docker_volume.bundle]
}
