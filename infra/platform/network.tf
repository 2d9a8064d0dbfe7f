# A VPC in two zones: public subnets for load balancers and the way out, private ones for all that runs.

locals {
  zones = [for letter in sort(tolist(var.network.zones)) : "${var.region}${letter}"]
  subnets = merge([for index, zone in local.zones : {
    "public-${zone}"  = { kind = "public", zone = zone, cidr = cidrsubnet(var.network.cidr, 4, index) }
    "private-${zone}" = { kind = "private", zone = zone, cidr = cidrsubnet(var.network.cidr, 4, index + 8) }
  }]...)
  ways_out = toset(var.network.nat_per_zone ? local.zones : slice(local.zones, 0, 1))
}

resource "aws_vpc" "this" {
  cidr_block           = var.network.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "this" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = each.value.zone
  cidr_block        = each.value.cidr
  tags              = { Name = "${var.name}-${each.key}" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_eip" "way_out" {
  #checkov:skip=CKV2_AWS_19:it is the NAT gateway's
  for_each = local.ways_out

  domain = "vpc"
  tags   = { Name = "${var.name}-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each = local.ways_out

  allocation_id = aws_eip.way_out[each.key].id
  subnet_id     = aws_subnet.this["public-${each.key}"].id
  tags          = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "this" {
  for_each = local.subnets

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table_association" "this" {
  for_each = local.subnets

  subnet_id      = aws_subnet.this[each.key].id
  route_table_id = aws_route_table.this[each.key].id
}

resource "aws_route" "out" {
  for_each = local.subnets

  route_table_id         = aws_route_table.this[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = each.value.kind == "public" ? aws_internet_gateway.this.id : null
  nat_gateway_id         = each.value.kind == "private" ? aws_nat_gateway.this[var.network.nat_per_zone ? each.value.zone : local.zones[0]].id : null
}

# Free, and what DVC, MLflow and the image registry move most goes here instead of through the NAT gateway.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for name, subnet in local.subnets : aws_route_table.this[name].id if subnet.kind == "private"]
  tags              = { Name = "${var.name}-s3" }
}

resource "aws_flow_log" "this" {
  vpc_id               = aws_vpc.this.id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = module.logs.arn

  depends_on = [module.logs]
}
