resource "aws_vpc" "main" {
  #checkov:skip=CKV2_AWS_11:NGINX logs each request; flow logs of one host are not worth their price
  cidr_block           = "10.20.0.0/16" # differs from Docker's and k3s's networks on the host
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  #checkov:skip=CKV_AWS_130:the host serves the public; the security group restricts access
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.20.0.0/24"
  map_public_ip_on_launch = true

  tags = { Name = "${var.name}-public" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }

  tags = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

# Every VPC has a default group that allows traffic between its members. Here it has no rules.
resource "aws_default_security_group" "empty" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-unused" }
}

resource "aws_security_group" "host" {
  name        = var.name
  description = "In: what NGINX listens on. Out: the web."
  vpc_id      = aws_vpc.main.id

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_ingress_rule" "nginx" {
  for_each = { prod = local.application.ports.prod, dev = local.application.ports.dev }

  security_group_id = aws_security_group.host.id
  description       = "NGINX, ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

# Packages need port 80; the registry, k3s and Systems Manager need port 443. Amazon's DNS and time
# servers need no rule.
resource "aws_vpc_security_group_egress_rule" "web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.host.id
  description       = each.key
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}
