resource "aws_vpc" "main" {
  #checkov:skip=CKV2_AWS_11:flow logs cost more than this one host's traffic is worth; NGINX logs each request
  cidr_block           = "10.20.0.0/16" # apart from what Docker (172.17/16) and k3s (10.42/16, 10.43/16) use on the host
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  #checkov:skip=CKV_AWS_130:the brief asks for a public subnet; the security group decides what gets in
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

# Every VPC comes with a group that lets its members reach each other: taken over here and left without a rule.
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
  #checkov:skip=CKV_AWS_260:port 80 is the shop
  for_each = { prod = local.application.ports.prod, dev = local.application.ports.dev }

  security_group_id = aws_security_group.host.id
  description       = "NGINX, ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

# Packages come over 80, all else (registry, k3s, Systems Manager) over 443. Amazon's DNS and time need no rule.
resource "aws_vpc_security_group_egress_rule" "web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.host.id
  description       = each.key
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}
