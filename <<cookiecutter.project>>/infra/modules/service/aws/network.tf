# The load balancer, and who may reach whom: clients the load balancer, the load balancer the servers, nobody else.

locals {
  # Names of load balancers and target groups have 32 characters at most; the hash keeps them apart.
  short = "${substr(var.name, 0, 12)}-${substr(var.environment, 0, 8)}"
  # What replaces a load balancer gives it another name, for the new one is there before the old one goes.
  placed = substr(sha256(jsonencode([local.prefix, var.internal, var.vpc_id])), 0, 8)
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_20:the HTTP listener redirects to HTTPS, at a port that is an input
  #checkov:skip=CKV_AWS_150:an environment is destroyed with one command, and made again with the same one
  #checkov:skip=CKV2_AWS_28:a firewall is the organisation's, and client_cidrs says who gets here at all
  name                       = "${local.short}-${local.placed}"
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.load_balancer_subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
  idle_timeout               = 60

  dynamic "access_logs" {
    for_each = var.access_log_bucket[*]
    content {
      enabled = true
      bucket  = access_logs.value
      prefix  = local.prefix
    }
  }
}

resource "aws_route53_record" "domain" {
  for_each = toset(var.zone_id[*])

  zone_id = each.key
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = false
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = local.port
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"
    fixed_response {
      status_code  = "503"
      content_type = "application/json"
      message_body = jsonencode({ error = "no release is pinned here" })
    }
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = local.port
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_target_group" "server" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer, and the servers let nothing else in
  for_each = local.services

  name                 = "${local.short}-${substr(sha256("${local.prefix}-${var.vpc_id}-${each.key}"), 0, 8)}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 8000
  deregistration_delay = 30

  health_check {
    path                = "/ready"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
    matcher             = "200"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The switch: it moves when the service is steady.
resource "aws_lb_listener_rule" "live" {
  for_each     = toset(var.pin.release == null ? [] : ["release"])
  listener_arn = aws_lb_listener.https.arn
  priority     = 100

  condition {
    path_pattern {
      values = ["*"]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.server[local.key].arn
  }

  depends_on = [aws_ecs_service.server]
}

# Makes a target group known to the load balancer before any request goes there. It takes the next free priority.
resource "aws_lb_listener_rule" "known" {
  for_each     = local.services
  listener_arn = aws_lb_listener.https.arn

  condition {
    host_header {
      values = ["${each.key}.invalid"]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.server[each.key].arn
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "load_balancer" {
  name_prefix = "${local.prefix}-load-balancer-"
  description = "The load balancer of ${local.prefix}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "server" {
  name_prefix = "${local.prefix}-server-"
  description = "The servers of ${local.prefix}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  #checkov:skip=CKV_AWS_260:port 80 redirects to HTTPS, and is open to client_cidrs alone
  for_each = {
    for pair in setproduct(var.client_cidrs, [80, local.port]) : "${pair[0]} ${pair[1]}" => { range = pair[0], port = pair[1] }
  }

  security_group_id = aws_security_group.load_balancer.id
  description       = "Clients"
  cidr_ipv4         = each.value.range
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "To the servers"
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

resource "aws_vpc_security_group_ingress_rule" "server" {
  security_group_id            = aws_security_group.server.id
  description                  = "From the load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

resource "aws_vpc_security_group_egress_rule" "server" {
  security_group_id = aws_security_group.server.id
  description       = "To the image registry, CloudWatch Logs and Secrets Manager"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
