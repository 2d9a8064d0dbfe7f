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
  token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]
}

run "has_a_deployment_for_each_release_in_blue_green" {
  command = plan

  assert {
    condition     = keys(kubectl_manifest.deployment) == [local.made] && yamldecode(kubectl_manifest.deployment[local.made].yaml_body).metadata.name == "flight-delays-staging-${local.made}"
    error_message = "The slot is the hash of what runs."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.service.yaml_body).spec.selector["mergeline.servers"] == local.made
    error_message = "The Service leads to the release's own servers."
  }
}

run "has_one_deployment_in_rolling" {
  command = plan

  variables {
    strategy = "rolling"
  }

  assert {
    condition     = keys(kubectl_manifest.deployment) == ["rolling"]
    error_message = "One Deployment whose pods Kubernetes replaces."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.deployment["rolling"].yaml_body).spec.strategy.rollingUpdate.maxUnavailable == 0
    error_message = "No server goes before another is ready."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.deployment["rolling"].yaml_body).spec.template.metadata.labels["mergeline.made"] == local.made
    error_message = "A pod says what it is made of, so that the wait knows an old one."
  }
}

run "gives_servers_no_privilege" {
  command = plan

  assert {
    condition = yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.template.spec.containers[0].securityContext == {
      allowPrivilegeEscalation = false
      readOnlyRootFilesystem   = true
      capabilities             = { drop = ["ALL"] }
    }
    error_message = "A server runs read-only and without capabilities."
  }

  assert {
    condition = yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.template.spec.securityContext == {
      runAsNonRoot   = true
      runAsUser      = 10001
      runAsGroup     = 10001
      seccompProfile = { type = "RuntimeDefault" }
    }
    error_message = "A server does not run as root."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.template.spec.automountServiceAccountToken == false
    error_message = "A server has no token of the cluster."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.namespace[0].yaml_body).metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "The namespace takes no pod with more rights."
  }
}

run "lets_servers_reach_nobody_and_the_named_reach_servers" {
  command = plan

  variables {
    client_namespaces = ["ingress-nginx"]
    client_cidrs      = ["10.0.0.0/8"]
  }

  assert {
    condition     = yamldecode(kubectl_manifest.network.yaml_body).spec.policyTypes == ["Ingress", "Egress"] && !can(yamldecode(kubectl_manifest.network.yaml_body).spec.egress)
    error_message = "There is no way out."
  }

  assert {
    condition = yamldecode(kubectl_manifest.network.yaml_body).spec.ingress[0].from == [
      { podSelector = {} },
      { namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = "ingress-nginx" } } },
      { ipBlock = { cidr = "10.0.0.0/8" } },
    ]
    error_message = "Who may ask is who is named."
  }
}

run "scales_between_the_two_numbers_of_replicas" {
  command = plan

  variables {
    replicas = { min = 2, max = 5 }
  }

  assert {
    condition     = yamldecode(kubectl_manifest.scaler[local.slot].yaml_body).spec.minReplicas == 2 && yamldecode(kubectl_manifest.scaler[local.slot].yaml_body).spec.maxReplicas == 5
    error_message = "The autoscaler moves between replicas.min and replicas.max."
  }

  assert {
    condition     = !can(yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.replicas)
    error_message = "The number of servers is the autoscaler's."
  }
}

run "hands_experiment_and_secrets_to_the_servers" {
  command = plan

  variables {
    env     = { GREETING = "hello: #1" }
    secrets = { KEY = "api/key" }
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
    condition = tolist(sort([for one in yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.template.spec.containers[0].env : jsonencode(one)])) == tolist(sort([
      jsonencode({ name = "GREETING", value = "hello: #1" }),
      jsonencode({ name = "MERGELINE_BUNDLES", value = "/bundles" }),
      jsonencode({ name = "MERGELINE_EXPERIMENT", value = jsonencode(var.pin.experiment) }),
      jsonencode({ name = "MERGELINE_RELEASE", value = var.pin.release.id }),
      jsonencode({ name = "MERGELINE_TOKEN_HASHES", value = "4444444444444444444444444444444444444444444444444444444444444444" }),
      jsonencode({ name = "KEY", valueFrom = { secretKeyRef = { name = "api", key = "key" } } }),
    ]))
    error_message = "A server gets the experiment as the pin has it, and secrets by where they are kept."
  }

  assert {
    condition = [for one in yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.template.spec.initContainers : [one.image, one.volumeMounts]] == [[
      var.pin.experiment.release.image, [{ name = "bundles", mountPath = "/bundles" }]
    ]]
    error_message = "The experiment's bundle comes from its release's image before the server starts."
  }

  assert {
    condition     = contains([for one in yamldecode(kubectl_manifest.deployment[local.slot].yaml_body).spec.template.spec.containers[0].volumeMounts : try(one.readOnly, false) ? one.name : ""], "bundles")
    error_message = "A server reads the experiment's bundle, and cannot write it."
  }
}

run "refuses_an_experiment_without_an_image" {
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
          image = "flight-delays:latest"
          model = { name = "flight-delays", bundle_id = "6666666666666666666666666666666666666666666666666666666666666666" }
        }
        kind  = "ab"
        share = 0.1
      }
    }
  }

  expect_failures = [kubectl_manifest.deployment]
}

run "runs_no_server_without_a_release" {
  command = plan

  variables {
    pin = { release = null, experiment = null }
  }

  assert {
    condition     = length(kubectl_manifest.deployment) + length(kubectl_manifest.scaler) == 0
    error_message = "Without a release there is no server."
  }
}

run "leaves_a_namespace_alone_that_is_there" {
  command = plan

  variables {
    namespace = "models"
  }

  assert {
    condition     = length(kubectl_manifest.namespace) == 0 && yamldecode(kubectl_manifest.service.yaml_body).metadata.namespace == "models"
    error_message = "Everything is in the namespace, which stays."
  }

  assert {
    condition     = output.url == "http://flight-delays-staging.models.svc:8101"
    error_message = "Without an address, it is the cluster's own name for the Service."
  }
}

run "keeps_a_name_of_digits_a_text" {
  command = plan

  variables {
    namespace = "1234"
  }

  assert {
    condition     = strcontains(kubectl_manifest.deployment[local.slot].yaml_body, "namespace: \"1234\"") && strcontains(kubectl_manifest.deployment[local.slot].yaml_body, "mergeline.servers: \"${local.slot}\"")
    error_message = "A namespace, and a hash such as 12345678, are no numbers in YAML."
  }
}

run "leads_an_ingress_to_the_servers" {
  command = plan

  variables {
    address       = "https://delays.example.org"
    ingress_class = "nginx"
    tls_secret    = "delays-tls"
  }

  assert {
    condition     = keys(kubectl_manifest.route) == ["ingress"] && output.url == "https://delays.example.org"
    error_message = "An address with a class is an Ingress."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.route["ingress"].yaml_body).spec.rules[0].host == "delays.example.org" && yamldecode(kubectl_manifest.route["ingress"].yaml_body).spec.tls[0].secretName == "delays-tls"
    error_message = "The Ingress is for the address's host, with the certificate."
  }
}

run "joins_a_gateway_and_tells_prometheus" {
  command = plan

  variables {
    address         = "https://delays.example.org:8443"
    gateway         = { name = "public", namespace = "gateways" }
    service_monitor = { release = "prometheus" }
  }

  assert {
    condition     = keys(kubectl_manifest.route) == ["monitor", "route"]
    error_message = "An HTTPRoute and a ServiceMonitor."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.route["route"].yaml_body).spec.hostnames == ["delays.example.org"] && yamldecode(kubectl_manifest.route["route"].yaml_body).spec.parentRefs[0].name == "public"
    error_message = "The route joins the Gateway with the address's host."
  }

  assert {
    condition     = yamldecode(kubectl_manifest.route["monitor"].yaml_body).metadata.labels.release == "prometheus"
    error_message = "The operator finds the monitor by its label."
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

  expect_failures = [kubectl_manifest.deployment]
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

run "refuses_to_let_others_in_without_a_token" {
  command = plan

  variables {
    token_hashes = []
  }

  expect_failures = [kubectl_manifest.deployment]
}

run "lets_others_in_without_a_token_where_it_is_told_to" {
  command = plan

  variables {
    token_hashes = []
    env          = { MERGELINE_OPEN = "1" }
  }

  assert {
    condition     = output.release_id == var.pin.release.id
    error_message = "An open service is a choice."
  }
}

run "refuses_a_secret_that_is_no_name_and_key" {
  command = plan

  variables {
    secrets = { KEY = "/run/secrets/key" }
  }

  expect_failures = [kubectl_manifest.deployment]
}

run "refuses_an_address_with_a_path" {
  command = plan

  variables {
    address = "https://example.org/delays"
  }

  expect_failures = [var.address]
}

run "refuses_an_ingress_without_an_address" {
  command = plan

  variables {
    ingress_class = "nginx"
  }

  expect_failures = [var.ingress_class]
}

run "refuses_a_certificate_without_an_ingress" {
  command = plan

  variables {
    tls_secret = "delays-tls"
  }

  expect_failures = [var.tls_secret]
}

run "refuses_a_gateway_beside_an_ingress" {
  command = plan

  variables {
    address       = "https://delays.example.org"
    ingress_class = "nginx"
    gateway       = { name = "public", namespace = "gateways" }
  }

  expect_failures = [var.gateway]
}

run "refuses_what_is_no_namespace" {
  command = plan

  variables {
    namespace = "My_Models"
  }

  expect_failures = [var.namespace]
}

run "refuses_what_is_no_address_range" {
  command = plan

  variables {
    client_cidrs = ["everybody"]
  }

  expect_failures = [var.client_cidrs]
}

run "refuses_an_autoscaler_that_keeps_servers_full" {
  command = plan

  variables {
    cpu_percent = 100
  }

  expect_failures = [var.cpu_percent]
}

run "refuses_a_wait_that_no_server_can_keep" {
  command = plan

  variables {
    ready_seconds = 1
  }

  expect_failures = [var.ready_seconds]
}

run "refuses_to_end_servers_that_requests_are_still_led_to" {
  command = plan

  variables {
    drain_seconds = 0
  }

  expect_failures = [var.drain_seconds]
}
