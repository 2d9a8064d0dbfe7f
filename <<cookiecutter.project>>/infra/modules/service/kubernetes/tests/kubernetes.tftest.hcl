# What the target kubernetes promises beyond the contract.

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
}

run "gives_servers_no_privilege" {
  command = plan

  assert {
    condition = alltrue([
      for one in kubectl_manifest.deployment : alltrue([
        yamldecode(one.yaml_body).spec.template.spec.securityContext.runAsNonRoot,
        !yamldecode(one.yaml_body).spec.template.spec.automountServiceAccountToken,
        yamldecode(one.yaml_body).spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem,
        yamldecode(one.yaml_body).spec.template.spec.containers[0].securityContext.capabilities.drop[0] == "ALL",
      ])
    ])
    error_message = "A server runs read-only, not as root, without capabilities and without a token for the cluster."
  }
}

run "keeps_all_servers_while_it_rolls" {
  command = plan

  variables {
    strategy = "rolling"
  }

  assert {
    condition     = yamldecode(kubectl_manifest.deployment["rolling"].yaml_body).spec.strategy.rollingUpdate.maxUnavailable == 0
    error_message = "A rolling replacement takes no server away before another is ready."
  }
}

run "names_a_blue_green_deployment_by_what_it_is_made_of" {
  command = plan

  assert {
    condition     = yamldecode(kubectl_manifest.service.yaml_body).spec.selector.slot == local.made && keys(kubectl_manifest.deployment) == [local.made]
    error_message = "The Service's selector names the Deployment of this release."
  }
}

run "scales_between_the_two_numbers" {
  command = plan

  variables {
    replicas = { min = 2, max = 5 }
    strategy = "rolling"
  }

  assert {
    condition     = yamldecode(kubectl_manifest.scaler["rolling"].yaml_body).spec.minReplicas == 2 && yamldecode(kubectl_manifest.scaler["rolling"].yaml_body).spec.maxReplicas == 5
    error_message = "The autoscaler moves between replicas.min and replicas.max."
  }
}

run "runs_no_server_without_a_release" {
  command = plan

  variables {
    pin = { release = null, experiment = null }
  }

  assert {
    condition     = length(kubectl_manifest.deployment) == 0 && length(kubectl_manifest.scaler) == 0
    error_message = "Without a release there is nothing to run."
  }
}

run "makes_an_ingress_where_there_is_a_host" {
  command = plan

  variables {
    host    = "delays.example.org"
    ingress = { class = "nginx", tls_secret = "delays-tls" }
  }

  assert {
    condition     = output.url == "https://delays.example.org" && yamldecode(kubectl_manifest.ingress[0].yaml_body).spec.ingressClassName == "nginx"
    error_message = "A host gives an Ingress, with TLS where it has a certificate."
  }
}

run "refuses_an_image_by_tag" {
  command = plan

  variables {
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        image = "registry.example/flight-delays:latest"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = null
    }
  }

  expect_failures = [kubectl_manifest.deployment]
}

run "refuses_tokens_that_it_would_not_ask_for" {
  command = plan

  variables {
    token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]
  }

  expect_failures = [kubectl_manifest.deployment]
}

run "refuses_a_secret_without_a_key" {
  command = plan

  variables {
    secrets = { KEY = "just-a-name" }
  }

  expect_failures = [kubectl_manifest.deployment]
}

run "refuses_a_share_of_processor_above_all" {
  command = plan

  variables {
    cpu_percent = 100
  }

  expect_failures = [var.cpu_percent]
}
