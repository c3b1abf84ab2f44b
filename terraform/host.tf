data "aws_ssm_parameter" "ubuntu" {
  name = var.ami_parameter
}

locals {
  # scripts/infra writes the install script. Terraform replaces the placeholders for its own values.
  install_script = replace(replace(replace(replace(replace(replace(replace(replace(replace(file("${path.module}/.build/user-data"),
    "@URL@", "https://${aws_s3_bucket.install.bucket_regional_domain_name}/${aws_s3_object.host_files.key}"),
    "@SHA256@", local.archive_sha256),
    "@REPOSITORY@", aws_ecrpublic_repository.shop.repository_uri),
    "@ALLOWED_HOSTS@", coalesce(var.allowed_hosts, aws_eip.host.public_ip)),
    "@AWS_REGION@", var.region),
    "@PARAMETERS@", local.settings_path),
    "@TRANSFER@", aws_s3_bucket.transfer.bucket),
    "@PUBLIC_URL_PROD@", local.urls.prod),
  "@PUBLIC_URL_DEV@", local.urls.dev)
  user_data       = base64gzip(local.install_script)
  user_data_bytes = length(local.user_data) / 4 * 3 - length(regexall("=", local.user_data))
  user_data_limit = 16384
}

resource "aws_instance" "host" {
  #checkov:skip=CKV_AWS_126:basic monitoring (5 minutes) is free and enough for one host
  ami                    = data.aws_ssm_parameter.ubuntu.insecure_value
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.public.id
  vpc_security_group_ids = [aws_security_group.host.id]
  iam_instance_profile   = aws_iam_instance_profile.host.name
  user_data_base64       = local.user_data
  ebs_optimized          = true

  # With a hop limit of 1, containers cannot reach the instance's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = 30
    encrypted   = true
    tags        = merge(local.tags, { Name = var.name })
  }

  tags = { Name = var.name }

  # The first boot installs the host and needs network access and its role.
  depends_on = [
    aws_route_table_association.public,
    aws_vpc_security_group_egress_rule.web,
    aws_iam_role_policy_attachment.host,
    aws_iam_role_policy.host,
    aws_iam_role_policy.settings,
    aws_ssm_parameter.proxy_secret,
  ]

  lifecycle {
    # A newer machine image must not replace the host and its data. The association in deploy.tf
    # runs a changed install script; changed user data would restart the instance.
    ignore_changes = [ami, user_data_base64]

    precondition {
      condition     = local.user_data_bytes <= local.user_data_limit
      error_message = "The compressed install script has ${local.user_data_bytes} bytes. EC2 allows at most ${local.user_data_limit}."
    }
  }
}

resource "aws_iam_role" "host" {
  name = "${var.name}-host"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# The host may use Systems Manager and download its archive, and what settings.tf and transfer.tf
# allow. Pulls from the public repository need no permission.
resource "aws_iam_role_policy_attachment" "host" {
  role       = aws_iam_role.host.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy" "host" {
  name = "install"
  role = aws_iam_role.host.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${aws_s3_bucket.install.arn}/*"
    }]
  })
}

resource "aws_iam_instance_profile" "host" {
  name = "${var.name}-host"
  role = aws_iam_role.host.name
}
