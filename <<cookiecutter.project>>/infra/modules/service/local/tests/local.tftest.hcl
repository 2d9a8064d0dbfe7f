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
    host = "0.0.0.0"
  }

  assert {
    condition     = output.url == "http://127.0.0.1:8100"
    error_message = "0.0.0.0 is no address to call."
  }
}

run "refuses_tokens_that_it_would_not_ask_for" {
  command = plan

  variables {
    token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]
  }

  expect_failures = [terraform_data.service]
}
