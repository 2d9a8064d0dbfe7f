# What the target local promises beyond the contract.

variables {
  name        = "flight-delays"
  environment = "dev"
  port        = 8100
  pin         = { release = null, experiment = null }
}

run "listens_on_this_machine_alone" {
  command = plan

  assert {
    condition     = output.url == "http://127.0.0.1:8100"
    error_message = "Without being asked, the server is reachable from this machine only."
  }
}

run "names_an_address_that_clients_can_use" {
  command = plan

  variables {
    host         = "0.0.0.0"
    token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]
  }

  assert {
    condition     = output.url == "http://127.0.0.1:8100"
    error_message = "0.0.0.0 is no address to call."
  }
}

run "refuses_to_let_others_in_without_a_token" {
  command = plan

  variables {
    host         = "0.0.0.0"
    token_hashes = []
  }

  expect_failures = [terraform_data.service]
}

run "lets_others_in_without_a_token_where_it_is_told_to" {
  command = plan

  variables {
    host         = "0.0.0.0"
    token_hashes = []
    env          = { MERGELINE_OPEN = "1" }
  }

  assert {
    condition     = !contains(keys(local.wanted.env), "MERGELINE_TOKEN_HASHES")
    error_message = "An open service is a choice."
  }
}

run "hands_the_tokens_hashes_to_the_servers" {
  command = plan

  variables {
    token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444", "5555555555555555555555555555555555555555555555555555555555555555"]
  }

  assert {
    condition     = local.wanted.env.MERGELINE_TOKEN_HASHES == "4444444444444444444444444444444444444444444444444444444444444444 5555555555555555555555555555555555555555555555555555555555555555"
    error_message = "A server knows every hash."
  }
}

run "hands_the_experiment_to_the_servers" {
  command = plan

  variables {
    env = { GREETING = "hello" }
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = {
        release = {
          id    = "4444444444444444444444444444444444444444444444444444444444444444"
          model = { name = "flight-delays", bundle_id = "6666666666666666666666666666666666666666666666666666666666666666" }
        }
        kind   = "canary"
        share  = 0.1
        limits = { errors = 0.01 }
      }
    }
  }

  assert {
    condition     = local.wanted.env.MERGELINE_EXPERIMENT == jsonencode(var.pin.experiment) && local.wanted.env.GREETING == "hello"
    error_message = "A server gets the experiment as the pin has it, beside its own variables."
  }
}
