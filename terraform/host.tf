data "aws_ssm_parameter" "ubuntu" {
  name = var.ami_parameter
}

locals {
  # scripts/user-data with words for what only Terraform knows, written by scripts/infra: the script that installs every host.
  install_script = replace(replace(replace(replace(file("${path.module}/.build/user-data"),
    "@URL@", "https://${aws_s3_bucket.install.bucket_regional_domain_name}/${aws_s3_object.host_files.key}"),
    "@SHA256@", local.archive_sha256),
    "@REPOSITORY@", aws_ecrpublic_repository.shop.repository_uri),
  "@ALLOWED_HOSTS@", var.allowed_hosts)
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

  # Containers are one hop further away than the host: at 1 they can't reach the instance's credentials.
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

  # The first boot installs: the way out has to be there before it.
  depends_on = [
    aws_route_table_association.public,
    aws_vpc_security_group_egress_rule.web,
    aws_iam_role_policy_attachment.host,
    aws_iam_role_policy.host,
  ]

  lifecycle {
    # A newer machine image is no reason to replace the host and its data. A changed install script is run by the association in
    # deploy.tf; as user data it would stop and start the instance, and change its address.
    ignore_changes = [ami, user_data_base64]

    precondition {
      condition     = local.user_data_bytes <= local.user_data_limit
      error_message = "The install script is ${local.user_data_bytes} bytes compressed; EC2 takes at most ${local.user_data_limit}."
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

# Systems Manager and the archive of the host's files, nothing else: the image repository is public, so pulls need no right.
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
