data "aws_availability_zones" "all" {
  #checkov:skip=CKV_AWS_394:the first two are used, and new zones come after them
  state = "available"

  filter {
    name   = "opt-in-status" # no local zones
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(data.aws_availability_zones.all.names, 0, 2)

  # Load balancers are in the public subnets, the database is in the database subnets.
  networks = {
    public   = "10.30.0.0/20"
    database = "10.30.16.0/20"
    nodes    = "10.30.64.0/18"
  }
  subnets = merge([for network, cidr in local.networks : {
    for number, zone in local.zones : "${network}-${zone}" => { network = network, zone = zone, cidr = cidrsubnet(cidr, 1, number) }
  }]...)

  # EKS places load balancers in the subnets that have these tags.
  subnet_tags = {
    public   = { "kubernetes.io/role/elb" = "1" }
    database = {}
    nodes    = { "kubernetes.io/role/internal-elb" = "1" }
  }
}

resource "aws_vpc" "main" {
  #checkov:skip=CKV2_AWS_11:flow logs cost more than the traffic of a small shop is worth
  cidr_block           = "10.30.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = "${var.name}-cluster" }
}

resource "aws_subnet" "all" {
  for_each = local.subnets

  vpc_id            = aws_vpc.main.id
  cidr_block        = each.value.cidr
  availability_zone = each.value.zone

  tags = merge({ Name = "${var.name}-${each.key}" }, local.subnet_tags[each.value.network])
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-cluster" }
}

resource "aws_eip" "nat" {
  domain = "vpc"

  tags = { Name = "${var.name}-nat" }

  depends_on = [aws_internet_gateway.main]
}

# One gateway for all zones. If its zone fails, running pods continue, but nodes cannot pull images.
resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.all["public-${local.zones[0]}"].id

  tags = { Name = "${var.name}-cluster" }
}

resource "aws_route_table" "all" {
  for_each = local.networks

  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.all["public"].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

# The database's subnets have no route to the internet.
resource "aws_route" "nodes" {
  route_table_id         = aws_route_table.all["nodes"].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main.id
}

resource "aws_route_table_association" "all" {
  for_each = local.subnets

  subnet_id      = aws_subnet.all[each.key].id
  route_table_id = aws_route_table.all[each.value.network].id
}

# Every VPC has a default group that allows traffic between its members. Here it has no rules.
resource "aws_default_security_group" "empty" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-unused" }
}
