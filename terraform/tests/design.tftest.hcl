# Tests the design of the host and the limits of each role. All provider calls are mocked, so the
# tests need no network and no credentials, and create nothing. They need the install script and the
# archive that scripts/infra writes: .build/user-data and .build/host-files.tar.gz.

mock_provider "aws" {
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn                         = "arn:aws:s3:::book-shop-install-123456789012"
      bucket_regional_domain_name = "book-shop-install-123456789012.s3.eu-central-1.amazonaws.com"
    }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0" }
  }
  mock_resource "aws_internet_gateway" {
    defaults = { id = "igw-0123456789abcdef0" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
  mock_resource "aws_instance" {
    defaults = {
      id        = "i-0123456789abcdef0"
      arn       = "arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0"
      public_ip = "198.51.100.99" # until the association
    }
  }
  mock_resource "aws_eip" {
    defaults = {
      id         = "eipalloc-0123456789abcdef0"
      public_ip  = "198.51.100.7"
      public_dns = "ec2-198-51-100-7.eu-central-1.compute.amazonaws.com"
    }
  }
  mock_resource "aws_ssm_parameter" {
    defaults = { version = 5 }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { id = "E1EXAMPLE", domain_name = "d111111abcdef8.cloudfront.net", hosted_zone_id = "Z2FDTNDATAQYW2" }
  }
  mock_resource "aws_route53_record" {
    defaults = { fqdn = "_1.shop.example.org" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  override_resource {
    target = aws_ssm_document.verbs["dev"]
    values = { arn = "arn:aws:ssm:eu-central-1:123456789012:document/book-shop-dev" }
  }
  override_resource {
    target = aws_ssm_document.verbs["prod"]
    values = { arn = "arn:aws:ssm:eu-central-1:123456789012:document/book-shop-prod" }
  }
  override_resource {
    target = aws_ssm_document.verbs["data"]
    values = { arn = "arn:aws:ssm:eu-central-1:123456789012:document/book-shop-data" }
  }
  override_resource {
    target = aws_s3_bucket.transfer
    values = { arn = "arn:aws:s3:::book-shop-transfer-123456789012" }
  }
  override_resource {
    target = aws_ssm_document.install
    values = { latest_version = "7" }
  }
}

# The repository exists only in us-east-1.
mock_provider "aws" {
  alias = "us_east_1"

  mock_resource "aws_ecrpublic_repository" {
    defaults = {
      arn            = "arn:aws:ecr-public::123456789012:repository/book-shop"
      repository_uri = "public.ecr.aws/a1b2c3d4/book-shop"
    }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-1111-1111-1111-111111111111"
      domain_validation_options = [{
        domain_name           = "shop.example.org"
        resource_record_name  = "_1.shop.example.org."
        resource_record_type  = "CNAME"
        resource_record_value = "_2.acm-validations.aws."
      }]
    }
  }
}

variables {
  github_repository = "acme/shop"
}

run "network" {
  assert {
    condition     = aws_subnet.public.vpc_id == aws_vpc.main.id && aws_subnet.public.map_public_ip_on_launch
    error_message = "The VPC must have a public subnet."
  }
  assert {
    condition     = cidrhost(aws_vpc.main.cidr_block, 0) == cidrhost(aws_subnet.public.cidr_block, 0) && alltrue([for used in ["172.17.", "10.42.", "10.43."] : !startswith(aws_vpc.main.cidr_block, used)])
    error_message = "The subnet must be in the VPC's range, which must not overlap with Docker's and k3s's networks."
  }
  assert {
    condition     = aws_internet_gateway.main.vpc_id == aws_vpc.main.id && [for r in aws_route_table.public.route : "${r.cidr_block} ${r.gateway_id}"] == ["0.0.0.0/0 igw-0123456789abcdef0"]
    error_message = "The only route must lead to the internet gateway."
  }
  assert {
    condition     = aws_route_table_association.public.subnet_id == aws_subnet.public.id && aws_route_table_association.public.route_table_id == aws_route_table.public.id
    error_message = "The public subnet must use this route table."
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.nginx : "${r.security_group_id} ${r.ip_protocol} ${r.from_port}-${r.to_port} ${r.cidr_ipv4}"]) == toset(["sg-0123456789abcdef0 tcp 80-80 0.0.0.0/0", "sg-0123456789abcdef0 tcp 8080-8080 0.0.0.0/0"])
    error_message = "Only TCP ports 80 and 8080 may be open to inbound connections."
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_egress_rule.web : "${r.ip_protocol} ${r.from_port}-${r.to_port}"]) == toset(["tcp 80-80", "tcp 443-443"])
    error_message = "Only TCP ports 80 and 443 may be open to outbound connections."
  }
  assert {
    condition     = aws_default_security_group.empty.vpc_id == aws_vpc.main.id && length(aws_default_security_group.empty.ingress) == 0 && length(aws_default_security_group.empty.egress) == 0
    error_message = "The VPC's default security group must have no rules."
  }
}

run "host" {
  assert {
    condition     = aws_instance.host.subnet_id == aws_subnet.public.id && aws_instance.host.vpc_security_group_ids == toset([aws_security_group.host.id])
    error_message = "The instance must be in the public subnet and in exactly one security group."
  }
  assert {
    condition     = data.aws_ssm_parameter.ubuntu.name == "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id" && aws_instance.host.ami == "ami-0123456789abcdef0"
    error_message = "The machine image must be Ubuntu 24.04 LTS, from Canonical's parameter."
  }
  assert {
    condition     = [for d in aws_instance.host.root_block_device : "${d.volume_size} ${d.volume_type} ${d.encrypted}"] == ["30 gp3 true"]
    error_message = "The disk must have 30 GB, the type gp3 and encryption."
  }
  assert {
    condition     = [for o in aws_instance.host.metadata_options : "${o.http_endpoint} ${o.http_tokens} ${o.http_put_response_hop_limit}"] == ["enabled required 1"]
    error_message = "The instance must require IMDSv2, and containers must not reach it."
  }
  assert {
    condition     = aws_instance.host.iam_instance_profile == aws_iam_instance_profile.host.name && aws_iam_instance_profile.host.role == aws_iam_role.host.name && aws_iam_role_policy_attachment.host.role == aws_iam_role.host.name
    error_message = "The instance must have the host's role."
  }
  assert {
    condition     = aws_iam_role_policy_attachment.host.policy_arn == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    error_message = "The host's role must allow Systems Manager."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.host.policy).Statement == [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::book-shop-install-123456789012/*" }] && aws_iam_role_policy.host.role == aws_iam_role.host.id
    error_message = "The host's role may read the objects of the install bucket."
  }
  assert {
    condition     = jsondecode(aws_iam_role.host.assume_role_policy).Statement == [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
    error_message = "Only EC2 may assume the host's role."
  }
  assert {
    condition     = aws_instance.host.tags == tomap({ Name = "book-shop" }) && local.tags.Project == "book-shop"
    error_message = "The instance must have the tags Name and Project, by which scripts/delivery/targets/aws.py finds it."
  }
  assert {
    condition     = aws_instance.host.instance_type == "t3.medium"
    error_message = "The instance must have 4 GB of memory."
  }
  assert {
    condition     = aws_instance.host.user_data_base64 == base64gzip(local.install_script) && local.user_data_bytes <= 16384 && local.user_data_bytes > 1000
    error_message = "The user data must be the install script, within EC2's limit."
  }
  assert {
    condition = [for line in split("\n", local.install_script) : line if can(regex("^[A-Z0-9_]+ = \"", line))] == [
      "URL = \"https://book-shop-install-123456789012.s3.eu-central-1.amazonaws.com/host-files-${filesha256(".build/host-files.tar.gz")}.tar.gz\"",
      "SHA256 = \"${filesha256(".build/host-files.tar.gz")}\"",
      "REPOSITORY = \"public.ecr.aws/a1b2c3d4/book-shop\"",
      "ALLOWED_HOSTS = \"198.51.100.7\"",
      "AWS_REGION = \"eu-central-1\"",
      "PARAMETERS = \"/book-shop\"",
      "TRANSFER = \"book-shop-transfer-123456789012\"",
      "PUBLIC_URL_PROD = \"https://d111111abcdef8.cloudfront.net\"",
      "PUBLIC_URL_DEV = \"http://198.51.100.7:8080\"",
    ]
    error_message = "The install script must contain the archive's URL and SHA-256, the repository, the allowed hosts, where settings and transfers are, and the public URLs."
  }
}

run "edge" {
  assert {
    condition     = aws_eip.host.domain == "vpc" && aws_eip_association.host.allocation_id == aws_eip.host.id && aws_eip_association.host.instance_id == aws_instance.host.id
    error_message = "The instance must have the Elastic IP address."
  }
  assert {
    condition = [for o in aws_cloudfront_distribution.shop[0].origin : "${o.origin_id} ${o.domain_name} ${o.custom_origin_config[0].origin_protocol_policy} ${o.custom_origin_config[0].http_port}"] == [
      "host ec2-198-51-100-7.eu-central-1.compute.amazonaws.com http-only 80"
    ]
    error_message = "The only origin must be port 80 of the host's address, by its DNS name."
  }
  assert {
    condition     = [for o in aws_cloudfront_distribution.shop[0].origin : o.custom_origin_config[0].origin_read_timeout > 30] == [true]
    error_message = "CloudFront must wait longer than NGINX does."
  }
  assert {
    condition     = nonsensitive([for o in aws_cloudfront_distribution.shop[0].origin : [for h in o.custom_header : [h.name, h.value]]] == [[["X-Proxy-Secret", terraform_data.proxy_secret["a"].triggers_replace]]])
    error_message = "The distribution must send the first secret."
  }
  assert {
    condition     = nonsensitive(can(regex("^[0-9a-f]{32},[0-9a-f]{32}$", aws_ssm_parameter.proxy_secret[0].value)) && length(distinct(split(",", aws_ssm_parameter.proxy_secret[0].value))) == 2 && split(",", aws_ssm_parameter.proxy_secret[0].value)[0] == terraform_data.proxy_secret["a"].triggers_replace)
    error_message = "The host must accept two different secrets of 128 bits."
  }
  assert {
    condition     = "${aws_ssm_parameter.proxy_secret[0].name} ${aws_ssm_parameter.proxy_secret[0].type}" == "/book-shop/proxy/SECRET SecureString"
    error_message = "The parameter must be encrypted and have the name that the host reads."
  }
  assert {
    condition     = issensitive(terraform_data.proxy_secret["a"].triggers_replace) && terraform_data.proxy_secret["a"].output == null && !strcontains(jsonencode([local.install_script, aws_ssm_document.install.content, [for document in aws_ssm_document.verbs : document.content], local.urls]), nonsensitive(terraform_data.proxy_secret["a"].triggers_replace))
    error_message = "No plan, document or user data may contain the secret."
  }
  assert {
    condition     = jsondecode(aws_ssm_document.install.content).description == "Runs the host's install script. Version of the proxy's secret: 5"
    error_message = "A new version of the secret must run the install script, which reads it."
  }
  assert {
    condition = [for b in aws_cloudfront_distribution.shop[0].default_cache_behavior : "${b.viewer_protocol_policy} ${b.cache_policy_id} ${b.origin_request_policy_id} ${join(" ", sort(b.allowed_methods))}"] == [
      "redirect-to-https 4135ea2d-6df8-44a3-9df3-4b5a84be39ad 216adef6-5c7f-47e4-b989-5492eafa07d3 DELETE GET HEAD OPTIONS PATCH POST PUT"
    ]
    error_message = "CloudFront may not cache pages (CachingDisabled), and must forward all of the request (AllViewer) over HTTPS only."
  }
  assert {
    condition = [for b in aws_cloudfront_distribution.shop[0].ordered_cache_behavior : "${b.path_pattern} ${b.viewer_protocol_policy} ${b.cache_policy_id} ${b.origin_request_policy_id} ${join(" ", sort(b.allowed_methods))}"] == [
      for path in ["/static/*", "/book-cover/*"] : "${path} redirect-to-https 658327ea-f89d-4fab-a63d-7e88639e58f6 bf0718e1-ba1e-49d1-88b1-f726733018ae GET HEAD"
    ]
    error_message = "CloudFront must cache public files (CachingOptimized), without forwarding cookies and query (HostHeaderOnly)."
  }
  assert {
    condition     = { for e in aws_cloudfront_distribution.shop[0].custom_error_response : e.error_code => "${e.error_caching_min_ttl} ${coalesce(e.response_page_path, "-")}" } == { for code in [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504] : code => "0 -" }
    error_message = "CloudFront may not keep or replace errors."
  }
  assert {
    condition     = aws_cloudfront_distribution.shop[0].enabled && !aws_cloudfront_distribution.shop[0].is_ipv6_enabled && length(aws_cloudfront_distribution.shop[0].aliases) == 0 && aws_cloudfront_distribution.shop[0].viewer_certificate[0].cloudfront_default_certificate
    error_message = "By default the distribution must have its own name and certificate, for IPv4."
  }
  assert {
    condition     = output.edge == { id = "E1EXAMPLE", domain = "d111111abcdef8.cloudfront.net" } && length(aws_acm_certificate.shop) + length(aws_route53_record.shop) + length(aws_route53_record.validation) + length(aws_budgets_budget.account) == 0
    error_message = "By default there must be no certificate, no record and no budget."
  }
}

run "second_proxy_secret" {
  variables {
    proxy_secret_in_use = "b"
  }

  assert {
    condition     = nonsensitive([for o in aws_cloudfront_distribution.shop[0].origin : [for h in o.custom_header : h.value]] == [[terraform_data.proxy_secret["b"].triggers_replace]] && split(",", aws_ssm_parameter.proxy_secret[0].value)[1] == terraform_data.proxy_secret["b"].triggers_replace)
    error_message = "The distribution must send the other secret, which the host accepts already."
  }
}

run "domain_in_a_zone" {
  variables {
    domain         = "shop.example.org"
    hosted_zone_id = "Z0123456789ABCDEFGHIJ"
    allowed_hosts  = "shop.example.org"
    budget_email   = "owner@example.org"
    budget_usd     = 80
  }

  assert {
    condition     = output.urls.prod == "https://shop.example.org" && aws_cloudfront_distribution.shop[0].aliases == toset(["shop.example.org"]) && strcontains(local.install_script, "ALLOWED_HOSTS = \"shop.example.org\"")
    error_message = "The shop must have the name of the domain."
  }
  assert {
    condition     = aws_acm_certificate.shop[0].domain_name == "shop.example.org" && aws_acm_certificate.shop[0].validation_method == "DNS" && aws_acm_certificate_validation.shop[0].certificate_arn == aws_acm_certificate.shop[0].arn
    error_message = "There must be a certificate for the domain."
  }
  assert {
    condition     = [for c in aws_cloudfront_distribution.shop[0].viewer_certificate : "${c.acm_certificate_arn} ${c.ssl_support_method} ${c.minimum_protocol_version} ${c.cloudfront_default_certificate}"] == ["${aws_acm_certificate.shop[0].arn} sni-only TLSv1.2_2021 false"]
    error_message = "The distribution must use the validated certificate, with TLS 1.2 or newer."
  }
  assert {
    condition     = [for r in aws_route53_record.validation : "${r.zone_id} ${r.type} ${r.name} ${join(" ", r.records)}"] == ["Z0123456789ABCDEFGHIJ CNAME _1.shop.example.org. _2.acm-validations.aws."]
    error_message = "The zone must prove to ACM who owns the domain."
  }
  assert {
    condition     = [for r in aws_route53_record.shop : "${r.zone_id} ${r.type} ${r.name} ${r.alias[0].name} ${r.alias[0].zone_id}"] == ["Z0123456789ABCDEFGHIJ A shop.example.org d111111abcdef8.cloudfront.net Z2FDTNDATAQYW2"]
    error_message = "The domain must lead to the distribution."
  }
  assert {
    condition     = "${aws_budgets_budget.account[0].limit_amount} ${aws_budgets_budget.account[0].limit_unit} ${aws_budgets_budget.account[0].time_unit}" == "80 USD MONTHLY" && toset([for n in aws_budgets_budget.account[0].notification : "${n.notification_type} ${n.threshold} ${join(" ", n.subscriber_email_addresses)}"]) == toset(["ACTUAL 80 owner@example.org", "ACTUAL 100 owner@example.org", "FORECASTED 100 owner@example.org"])
    error_message = "AWS must warn the address before and at the limit."
  }
}

run "domain_with_a_certificate" {
  variables {
    domain          = "shop.example.org"
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/22222222-2222-2222-2222-222222222222"
  }

  assert {
    condition     = aws_cloudfront_distribution.shop[0].viewer_certificate[0].acm_certificate_arn == var.certificate_arn && length(aws_acm_certificate.shop) + length(aws_route53_record.shop) + length(aws_route53_record.validation) == 0
    error_message = "The given certificate must be used, and no record created."
  }
}

run "certificate_and_zone" {
  variables {
    domain          = "shop.example.org"
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/22222222-2222-2222-2222-222222222222"
    hosted_zone_id  = "Z0123456789ABCDEFGHIJ"
  }

  assert {
    condition     = aws_cloudfront_distribution.shop[0].viewer_certificate[0].acm_certificate_arn == var.certificate_arn && length(aws_acm_certificate.shop) == 0 && length(aws_route53_record.shop) == 1
    error_message = "With both, only the record of the domain must be created."
  }
}

run "without_https" {
  variables {
    https = false
  }

  assert {
    condition     = output.urls == { dev = "http://198.51.100.7:8080", prod = "http://198.51.100.7" } && output.edge == null
    error_message = "The shop must be served at the host's address."
  }
  assert {
    condition     = length(aws_cloudfront_distribution.shop) + length(aws_ssm_parameter.proxy_secret) + length(terraform_data.proxy_secret) == 0 && strcontains(aws_ssm_document.install.content, "Version of the proxy's secret: none")
    error_message = "There must be no distribution and no secret, and the host must learn that."
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.nginx : r.from_port]) == toset([80, 8080])
    error_message = "The open ports must be the same without HTTPS."
  }
}

run "install" {
  assert {
    condition     = aws_s3_bucket.install.bucket == "book-shop-install-123456789012" && aws_s3_bucket.install.force_destroy
    error_message = "The bucket's name must contain the account, and destroy must delete the bucket with its objects."
  }
  assert {
    condition     = alltrue([for closed in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] : aws_s3_bucket_public_access_block.install[closed]]) && aws_s3_bucket_public_access_block.install.bucket == aws_s3_bucket.install.id
    error_message = "The bucket must block public access."
  }
  assert {
    condition     = [for rule in aws_s3_bucket_server_side_encryption_configuration.install.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm] == ["AES256"] && aws_s3_bucket_versioning.install.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be encrypted and versioned."
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.install.rule : "${rule.status} ${rule.noncurrent_version_expiration[0].noncurrent_days}"] == ["Enabled 30"]
    error_message = "The bucket must keep old versions for 30 days."
  }
  assert {
    condition     = aws_s3_object.host_files.key == "host-files-${filesha256(".build/host-files.tar.gz")}.tar.gz" && filesha256(aws_s3_object.host_files.source) == filesha256(".build/host-files.tar.gz")
    error_message = "The object must be the archive, and its name must contain the SHA-256."
  }
}

run "settings" {
  assert {
    condition = jsondecode(aws_iam_role_policy.settings.policy).Statement == [
      {
        Sid      = "Settings"
        Effect   = "Allow"
        Action   = ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParametersByPath", "ssm:PutParameter"]
        Resource = "arn:aws:ssm:eu-central-1:123456789012:parameter/book-shop/*"
      },
      { Sid = "ActorOfSettings", Effect = "Allow", Action = "ssm:DescribeParameters", Resource = "*" },
      {
        Sid         = "NoOtherParameters"
        Effect      = "Deny"
        Action      = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath"]
        NotResource = "arn:aws:ssm:eu-central-1:123456789012:parameter/book-shop/*"
      },
      {
        Sid      = "ReadProxySecretOnly"
        Effect   = "Deny"
        Action   = ["ssm:DeleteParameter", "ssm:PutParameter"]
        Resource = "arn:aws:ssm:eu-central-1:123456789012:parameter/book-shop/proxy/*"
      },
    ] && aws_iam_role_policy.settings.role == aws_iam_role.host.id
    error_message = "The host's role may change its own parameters only, and read no others, in spite of the managed policy."
  }
}

run "transfer" {
  assert {
    condition     = aws_s3_bucket.transfer.bucket == "book-shop-transfer-123456789012" && aws_s3_bucket.transfer.force_destroy
    error_message = "The bucket's name must be that of scripts/delivery/transfer.py, and destroy must delete the bucket with its objects."
  }
  assert {
    condition     = alltrue([for closed in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] : aws_s3_bucket_public_access_block.transfer[closed]]) && aws_s3_bucket_public_access_block.transfer.bucket == aws_s3_bucket.transfer.id
    error_message = "The bucket must block public access."
  }
  assert {
    condition     = [for rule in aws_s3_bucket_server_side_encryption_configuration.transfer.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm] == ["AES256"] && aws_s3_bucket_server_side_encryption_configuration.transfer.bucket == aws_s3_bucket.transfer.id
    error_message = "The bucket must be encrypted."
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.transfer.rule : "${rule.status} ${rule.expiration[0].days} ${rule.abort_incomplete_multipart_upload[0].days_after_initiation}"] == ["Enabled 1 1"] && aws_s3_bucket_lifecycle_configuration.transfer.bucket == aws_s3_bucket.transfer.id
    error_message = "What an interrupted verb leaves behind must be deleted after a day."
  }
  assert {
    condition     = [for s in jsondecode(aws_s3_bucket_policy.transfer.policy).Statement : "${s.Effect} ${s.Principal} ${s.Action} ${join(" ", s.Resource)} ${s.Condition.Bool["aws:SecureTransport"]}"] == ["Deny * s3:* arn:aws:s3:::book-shop-transfer-123456789012 arn:aws:s3:::book-shop-transfer-123456789012/* false"]
    error_message = "The bucket must refuse requests without TLS."
  }
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.transfer.policy).Statement : s.Resource => "${s.Effect} ${join(" ", flatten([s.Action]))}" } == {
      "arn:aws:s3:::book-shop-transfer-123456789012/*/stdin"  = "Allow s3:GetObject"
      "arn:aws:s3:::book-shop-transfer-123456789012/*/stdout" = "Allow s3:AbortMultipartUpload s3:PutObject"
    } && aws_iam_role_policy.transfer.role == aws_iam_role.host.id
    error_message = "The host may read stdin and write stdout, and nothing else."
  }
}

run "registry" {
  assert {
    condition     = output.repository == "public.ecr.aws/a1b2c3d4/book-shop"
    error_message = "The ECR Public repository must be in us-east-1."
  }
  assert {
    condition     = [for c in aws_ecrpublic_repository.shop.catalog_data : c.description != "" && c.architectures == toset(["x86-64"])] == [true]
    error_message = "The repository must have catalogue data."
  }
}

run "github" {
  assert {
    condition     = aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com" && aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The provider must accept GitHub's tokens for AWS."
  }
  assert {
    condition = { for name, role in aws_iam_role.github : name => jsondecode(role.assume_role_policy).Statement } == {
      for name, subject in { dev = "repo:acme/shop:environment:dev", prod = "repo:acme/shop:environment:prod" } : name => [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
        Condition = { StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = subject
        } }
      }]
    }
    error_message = "Each role must trust exactly one GitHub environment of exactly one repository."
  }
  assert {
    condition = { for name, policy in aws_iam_role_policy.github : name => { for s in jsondecode(policy.policy).Statement : s.Sid => s.Action } } == {
      dev = {
        RegistryLogin = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
        Registry = [
          "ecr-public:BatchCheckLayerAvailability", "ecr-public:BatchDeleteImage", "ecr-public:CompleteLayerUpload", "ecr-public:DescribeImages", "ecr-public:DescribeRepositories",
          "ecr-public:InitiateLayerUpload", "ecr-public:PutImage", "ecr-public:UploadLayerPart",
        ]
        RunVerb               = ["ssm:SendCommand"]
        FindHostAndReadOutput = ["ec2:DescribeInstances", "ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"]
      }
      prod = {
        RegistryLogin         = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
        Registry              = ["ecr-public:DescribeImages", "ecr-public:DescribeRepositories", "ecr-public:PutImage"]
        RunVerb               = ["ssm:SendCommand"]
        FindHostAndReadOutput = ["ec2:DescribeInstances", "ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"]
      }
    }
    error_message = "Each role may call exactly the actions that its jobs use."
  }
  assert {
    condition = { for name, policy in aws_iam_role_policy.github : name => { for s in jsondecode(policy.policy).Statement : s.Sid => join(" ", flatten([s.Resource])) } } == {
      for name in ["dev", "prod"] : name => {
        RegistryLogin         = "*"
        Registry              = "arn:aws:ecr-public::123456789012:repository/book-shop"
        RunVerb               = "arn:aws:ssm:eu-central-1:123456789012:document/book-shop-${name} arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0"
        FindHostAndReadOutput = "*"
      }
    }
    error_message = "Each role must be limited to one repository, one document and one instance."
  }
  assert {
    condition     = alltrue(flatten([for policy in aws_iam_role_policy.github : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) : !can(regex("[*]|Parameter|^s3:|^kms:|StartSession", action))]]]))
    error_message = "No role may read or write settings or transfers, or open a shell."
  }
  assert {
    condition     = toset([for document in keys(aws_ssm_document.verbs) : document if !contains(keys(aws_iam_role_policy.github), document)]) == toset(["data", "manage", "settings"])
    error_message = "The documents of backups, settings and commands must be for the owner only."
  }
}

run "github_branches_and_subject" {
  variables {
    github_subject_prefix = "repo:Acme@123456/shop@456789"
    github_subjects       = { dev = "ref:refs/heads/dev", prod = "ref:refs/heads/main" }
    github_provider_arn   = "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = [for role in aws_iam_role.github : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]] == ["repo:Acme@123456/shop@456789:ref:refs/heads/dev", "repo:Acme@123456/shop@456789:ref:refs/heads/main"]
    error_message = "The subject must be the prefix, letter for letter, and the branch."
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && alltrue([for role in aws_iam_role.github : jsondecode(role.assume_role_policy).Statement[0].Principal.Federated == var.github_provider_arn])
    error_message = "The account's existing provider must be used."
  }
}

run "deploy" {
  assert {
    condition = { for name, document in aws_ssm_document.verbs : name => "${document.name} ${jsondecode(document.content).schemaVersion} ${join(" ", sort([for verb in jsondecode(document.content).parameters.Verb.allowedValues : verb if !can(regex("-(dev|prod)$", verb))]))}" } == {
      data     = "book-shop-data 2.2 backup backups dump load restore"
      dev      = "book-shop-dev 2.2 deploy history logs plan rollback status undo"
      manage   = "book-shop-manage 2.2 manage"
      prod     = "book-shop-prod 2.2 deploy history logs plan rollback status undo"
      settings = "book-shop-settings 2.2 rotate set settings unset"
    }
    error_message = "Each environment, and each kind of verbs of the owner, must have a document with its own verbs only."
  }
  assert {
    condition = { for name, document in aws_ssm_document.verbs : name => join(" ", sort([for verb in jsondecode(document.content).parameters.Verb.allowedValues : verb if can(regex("-(dev|prod)$", verb))])) } == {
      data     = "backup-dev backup-prod dump-dev dump-prod load-dev load-prod restore-dev restore-prod"
      dev      = "deploy-dev history-dev logs-dev plan-dev rollback-dev undo-dev"
      manage   = "manage-dev manage-prod"
      prod     = "deploy-prod history-prod logs-prod plan-prod rollback-prod undo-prod"
      settings = "rotate-dev rotate-prod set-dev set-prod settings-dev settings-prod unset-dev unset-prod"
    }
    error_message = "The documents must accept the verbs of old checkouts, so that the host can report a remedy."
  }
  assert {
    condition = { for name, document in aws_ssm_document.verbs : name => "${join(",", jsondecode(document.content).parameters.Environment.allowedValues)} ${try(jsondecode(document.content).parameters.Environment.default, "required")}" } == {
      data     = "dev,prod, "
      dev      = "dev dev"
      manage   = "dev,prod required"
      prod     = "prod prod"
      settings = "dev,prod required"
    }
    error_message = "A document may act on its own environment only, those of the owner on either, which must be named except for both."
  }
  assert {
    condition     = alltrue(flatten([for document in aws_ssm_document.verbs : [for parameter in values(jsondecode(document.content).parameters) : parameter.type == "String" && try(parameter.interpolationType, "") == "ENV_VAR"]]))
    error_message = "Parameters must be passed as environment variables."
  }
  assert {
    condition     = alltrue(flatten([for document in aws_ssm_document.verbs : [for parameter in values(jsondecode(document.content).parameters) : can(parameter.allowedValues) || can(regex("^\\^.*\\$$", parameter.allowedPattern))]]))
    error_message = "Each value must be one of a list, or have a pattern that matches all of it."
  }
  assert {
    condition = [for image in ["localhost:5000/book-shop", "public.ecr.aws/a1b2c3d4/book-shop", "registry/book-shop", "book-shop", ""] :
      can(regex(jsondecode(aws_ssm_document.verbs["dev"].content).parameters.Image.allowedPattern, "${image}@sha256:${sha256(image)}"))
    ] == [true, true, false, false, false]
    error_message = "The grammar of images must mean the same in RE2 as in Python."
  }
  assert {
    condition     = sort(keys(aws_iam_role.github)) == sort(local.grammar.environments)
    error_message = "Each environment must have a role: the type of github_subjects cannot be computed."
  }
  assert {
    condition     = alltrue([for document in concat(values(aws_ssm_document.verbs), [aws_ssm_document.install]) : !strcontains(document.content, "{{")])
    error_message = "No parameter may be inserted into a command."
  }
  assert {
    condition     = [for step in jsondecode(aws_ssm_document.verbs["dev"].content).mainSteps : join("\n", step.inputs.runCommand)] == ["environments='dev prod'\nforms='${local.verb_forms}'\n${trimspace(file("commands/verb.sh"))}"]
    error_message = "The documents must run commands/verb.sh."
  }
  assert {
    condition     = [for step in jsondecode(aws_ssm_document.install.content).mainSteps : join("\n", step.inputs.runCommand)] == ["${trimspace(file("commands/install.sh"))}\nrun_install '${aws_instance.host.user_data_base64}'"]
    error_message = "A running host must get the same install script as a new one."
  }
  assert {
    condition     = aws_ssm_association.install.name == aws_ssm_document.install.name && aws_ssm_association.install.document_version == "7" && [for t in aws_ssm_association.install.targets : "${t.key} ${join(" ", t.values)}"] == ["InstanceIds i-0123456789abcdef0"]
    error_message = "The association must run the newest install script on the host."
  }
  assert {
    condition     = output.urls == { dev = "http://198.51.100.7:8080", prod = "https://d111111abcdef8.cloudfront.net" } && output.address == "198.51.100.7" && output.documents == { for name in ["data", "dev", "manage", "prod", "settings"] : name => "book-shop-${name}" } && output.instance_id == "i-0123456789abcdef0" && output.roles.dev == aws_iam_role.github["dev"].arn
    error_message = "The outputs must be those that the scripts use."
  }
  assert {
    condition     = output.installation == { association_id = aws_ssm_association.install.association_id, document_version = "7" } && aws_ssm_association.install.wait_for_success_timeout_seconds == null
    error_message = "scripts/infra must know for which version of the installation it waits, instead of the provider."
  }
}
