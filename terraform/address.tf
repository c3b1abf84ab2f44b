# The public address of the host. It remains when the instance is stopped and started, and is known
# before the instance exists, so the distribution and the install script can contain it.
resource "aws_eip" "host" {
  domain = "vpc"

  tags = { Name = var.name }

  depends_on = [aws_internet_gateway.main]
}

# The instance starts with another address of its subnet and changes it seconds later. A network
# interface that has the address from the start would replace existing instances and their data.
resource "aws_eip_association" "host" {
  allocation_id = aws_eip.host.id
  instance_id   = aws_instance.host.id
}

locals {
  urls = {
    dev  = "http://${aws_eip.host.public_ip}:${local.application.ports.dev}"
    prod = var.https ? "https://${coalesce(var.domain, one(aws_cloudfront_distribution.shop[*].domain_name))}" : "http://${aws_eip.host.public_ip}"
  }
}
