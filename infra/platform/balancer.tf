# Who reaches MLflow, and whom it reaches: clients the load balancer, that the server, the server its database.

locals {
  parties = var.mlflow == null ? {} : {
    balancer = "The load balancer of MLflow"
    mlflow   = "MLflow"
    database = "MLflow's database"
  }
  ways = var.mlflow == null ? {} : {
    to_mlflow   = { from = "balancer", to = "mlflow", port = 5000 }
    to_database = { from = "mlflow", to = "database", port = 5432 }
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:each is attached, by its key, which checkov does not follow
  for_each = local.parties

  name_prefix = "${var.name}-${each.key}-"
  description = each.value
  vpc_id      = aws_vpc.this.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = toset(try(var.mlflow.client_cidrs, []))

  security_group_id = aws_security_group.this["balancer"].id
  description       = "Clients"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "way" {
  for_each = local.ways

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = "To ${each.value.to}"
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "way" {
  for_each = local.ways

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = "From ${each.value.from}"
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "services" {
  for_each = local.mlflow

  security_group_id = aws_security_group.this["mlflow"].id
  description       = "To S3, the image registry, CloudWatch Logs and Secrets Manager"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_lb" "mlflow" {
  #checkov:skip=CKV_AWS_150:protected is true unless the platform is only tried out
  #checkov:skip=CKV2_AWS_28:it has private addresses, and client_cidrs says who gets here at all
  #checkov:skip=CKV2_AWS_20:nothing listens but the TLS listener
  for_each = local.mlflow

  name                       = "${var.name}-mlflow"
  load_balancer_type         = "application"
  internal                   = true
  subnets                    = local.subnet_ids.private
  security_groups            = [aws_security_group.this["balancer"].id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected

  access_logs {
    enabled = true
    bucket  = module.logs.name
    prefix  = "mlflow"
  }
}

resource "aws_lb_target_group" "mlflow" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer, and the server lets nothing else in
  for_each = local.mlflow

  name                 = "${var.name}-mlflow"
  vpc_id               = aws_vpc.this.id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 5000
  deregistration_delay = 30

  health_check {
    path    = "/health"
    matcher = "200"
  }
}

resource "aws_lb_listener" "mlflow" {
  for_each = local.mlflow

  load_balancer_arn = aws_lb.mlflow[each.key].arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.mlflow.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.mlflow[each.key].arn
  }
}

resource "aws_route53_record" "mlflow" {
  for_each = toset(try(var.mlflow.zone_id[*], []))

  zone_id = each.key
  name    = var.mlflow.domain
  type    = "A"

  alias {
    name                   = aws_lb.mlflow["server"].dns_name
    zone_id                = aws_lb.mlflow["server"].zone_id
    evaluate_target_health = false
  }
}
