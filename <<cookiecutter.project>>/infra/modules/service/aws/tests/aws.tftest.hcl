# What the target aws promises beyond the contract.

mock_provider "aws" {}

variables {
  name        = "flight-delays"
  environment = "staging"
  port        = 8101
  pin = {
    release = {
      id    = "1111111111111111111111111111111111111111111111111111111111111111"
      image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/flight-delays@sha256:2222222222222222222222222222222222222222222222222222222222222222"
      model = {
        name      = "flight-delays"
        bundle_id = "3333333333333333333333333333333333333333333333333333333333333333"
      }
    }
    experiment = null
  }
  token_hashes = ["4444444444444444444444444444444444444444444444444444444444444444"]

  vpc_id                   = "vpc-0123456789abcdef0"
  load_balancer_subnet_ids = ["subnet-0a", "subnet-0b"]
  server_subnet_ids        = ["subnet-0c", "subnet-0d"]
  certificate_arn          = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
  domain                   = "delays.example.org"
  client_cidrs             = ["10.0.0.0/8"]
}

run "names_an_address_that_the_certificate_is_for" {
  command = plan

  assert {
    condition     = output.url == "https://delays.example.org:8101" && aws_lb_listener.https.port == 8101
    error_message = "The URL is the domain's, with the port that the load balancer listens on."
  }
}

run "leaves_the_usual_port_out_of_the_address" {
  command = plan

  variables {
    https_port = 443
  }

  assert {
    condition     = output.url == "https://delays.example.org" && aws_lb_listener.https.port == 443
    error_message = "https_port takes the place of port, and 443 needs no mention."
  }
}

run "speaks_tls_alone" {
  command = plan

  assert {
    condition     = aws_lb_listener.https.protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "HTTP is answered by a redirect to HTTPS."
  }
}

run "lets_clients_reach_the_load_balancer_and_nothing_else" {
  command = plan

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.client : rule.cidr_ipv4 == "10.0.0.0/8"])
    error_message = "Only client_cidrs reach the load balancer."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.server.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.server.from_port == 8000
    error_message = "A server is reached from the load balancer's group, never from an address range."
  }

  assert {
    condition     = alltrue([for one in aws_ecs_service.server : !one.network_configuration[0].assign_public_ip]) && aws_lb.this.internal
    error_message = "No server has a public address, and the load balancer has one only when asked to."
  }
}

run "runs_nothing_without_a_release" {
  command = plan

  variables {
    pin = { release = null, experiment = null }
  }

  assert {
    condition     = length(aws_ecs_service.server) == 0 && length(aws_lb_listener_rule.live) == 0
    error_message = "Without a release there is no service, and no rule that leads to one."
  }

  assert {
    condition     = aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "503"
    error_message = "Without a release the load balancer says so."
  }
}

run "has_a_service_for_each_release_in_blue_green" {
  command = plan

  variables {
    replicas = { min = 2, max = 5 }
  }

  assert {
    condition     = keys(aws_ecs_service.server) == [local.made] && aws_ecs_service.server[local.made].desired_count == 5
    error_message = "The key is the hash of what runs, and the new service starts with as many servers as there may be."
  }
}

run "has_one_service_in_rolling" {
  command = plan

  variables {
    strategy = "rolling"
    replicas = { min = 2, max = 5 }
  }

  assert {
    condition     = keys(aws_ecs_service.server) == ["rolling"] && aws_ecs_service.server["rolling"].desired_count == 2
    error_message = "One service whose tasks ECS replaces."
  }

  assert {
    condition     = aws_ecs_service.server["rolling"].deployment_minimum_healthy_percent == 100 && aws_ecs_service.server["rolling"].deployment_circuit_breaker[0].rollback
    error_message = "No server goes before another is ready, and a release that does not come up is rolled back."
  }
}

run "scales_between_the_two_numbers_of_replicas" {
  command = plan

  variables {
    replicas = { min = 2, max = 5 }
  }

  assert {
    condition     = alltrue([for one in aws_appautoscaling_target.server : one.min_capacity == 2 && one.max_capacity == 5])
    error_message = "The autoscaler moves between replicas.min and replicas.max."
  }
}

run "runs_a_server_of_the_smallest_size_that_fits" {
  command = plan

  variables {
    cpu       = 0.5
    memory_mb = 1200
  }

  assert {
    condition     = aws_ecs_task_definition.server[local.key].cpu == "512" && aws_ecs_task_definition.server[local.key].memory == "2048"
    error_message = "1200 MB are 1145 MiB, and Fargate sells 2048 MiB with half a processor."
  }
}

run "gives_a_server_no_privilege_and_the_experiment_as_data" {
  command = plan

  variables {
    env     = { LEVEL = "info" }
    secrets = { KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf:json:AWSCURRENT:" }
    pin = {
      release = {
        id    = "1111111111111111111111111111111111111111111111111111111111111111"
        image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/flight-delays@sha256:2222222222222222222222222222222222222222222222222222222222222222"
        model = { name = "flight-delays", bundle_id = "3333333333333333333333333333333333333333333333333333333333333333" }
      }
      experiment = {
        release = {
          id    = "4444444444444444444444444444444444444444444444444444444444444444"
          image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/flight-delays@sha256:6666666666666666666666666666666666666666666666666666666666666666"
          model = { name = "flight-delays", bundle_id = "5555555555555555555555555555555555555555555555555555555555555555" }
        }
        kind  = "ab"
        share = 0.1
      }
    }
  }

  assert {
    condition = alltrue([
      for one in jsondecode(aws_ecs_task_definition.server[local.key].container_definitions) :
      (one.user == "10001:10001" || one.name != "server") && one.readonlyRootFilesystem && one.linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "A server runs read-only, not as root, without capabilities."
  }

  assert {
    condition     = jsondecode(one([for one in jsondecode(aws_ecs_task_definition.server[local.key].container_definitions)[0].environment : one.value if one.name == "MERGELINE_EXPERIMENT"])).share == 0.1
    error_message = "The experiment is in the server's environment as JSON."
  }

  assert {
    condition = [for one in jsondecode(aws_ecs_task_definition.server[local.key].container_definitions) : [one.image, one.mountPoints[0].readOnly, try(one.dependsOn[0].condition, "")]] == [
      [var.pin.release.image, true, "SUCCESS"],
      [var.pin.experiment.release.image, false, ""],
    ]
    error_message = "The experiment's bundle comes from its release's image before the server starts, which cannot write it."
  }

  assert {
    condition     = tolist(one([for one in local.statements : one.Resource if one.Sid == "ReadSecrets"])) == tolist(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf"])
    error_message = "ECS may read the named secrets and no other."
  }

  assert {
    condition     = tolist(one([for one in local.statements : one.Resource if one.Sid == "PullImage"])) == tolist(["arn:${data.aws_partition.current.partition}:ecr:eu-central-1:123456789012:repository/flight-delays"])
    error_message = "ECS may pull from the image's repository and no other."
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

  expect_failures = [aws_ecs_task_definition.server]
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

  expect_failures = [aws_ecs_task_definition.server]
}

run "refuses_to_let_others_in_without_a_token" {
  command = plan

  variables {
    token_hashes = []
  }

  expect_failures = [aws_ecs_task_definition.server]
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

run "refuses_a_secret_that_is_no_arn" {
  command = plan

  variables {
    secrets = { KEY = "/run/secrets/key" }
  }

  expect_failures = [aws_ecs_task_definition.server]
}

run "refuses_a_size_that_fargate_does_not_have" {
  command = plan

  variables {
    cpu = 32
  }

  expect_failures = [aws_ecs_task_definition.server]
}

run "refuses_a_load_balancer_in_one_zone" {
  command = plan

  variables {
    load_balancer_subnet_ids = ["subnet-0a"]
  }

  expect_failures = [var.load_balancer_subnet_ids]
}

run "refuses_what_is_no_address_range" {
  command = plan

  variables {
    client_cidrs = ["everybody"]
  }

  expect_failures = [var.client_cidrs]
}

run "refuses_a_certificate_of_another_kind" {
  command = plan

  variables {
    certificate_arn = "arn:aws:iam::123456789012:server-certificate/old"
  }

  expect_failures = [var.certificate_arn]
}

run "keeps_the_record_of_the_domain_where_it_is_told_the_zone" {
  command = plan

  variables {
    zone_id = "Z0123456789ABCDEFGHIJ"
  }

  assert {
    condition     = aws_route53_record.domain["Z0123456789ABCDEFGHIJ"].name == "delays.example.org"
    error_message = "The record is the domain's."
  }
}

run "refuses_a_zone_by_name" {
  command = plan

  variables {
    zone_id = "example.org"
  }

  expect_failures = [var.zone_id]
}

run "refuses_the_port_that_redirects" {
  command = plan

  variables {
    https_port = 80
  }

  expect_failures = [var.https_port]
}

run "keeps_the_roles_of_servers_within_the_boundary" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/mergeline-flight-delays-servers"
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.execution, aws_iam_role.server] : role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "Every role that the module makes has the boundary."
  }
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan

  variables {
    permissions_boundary_arn = "mergeline-flight-delays-servers"
  }

  expect_failures = [var.permissions_boundary_arn]
}
