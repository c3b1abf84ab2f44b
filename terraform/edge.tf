# HTTPS at the edge: a CloudFront distribution in front of port 80 of the host
# (docs/decisions/0091-https-at-cloudfront.md). With https = false there is none of this.

locals {
  # AWS's managed policies have the same ids in all accounts.
  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
  caching_disabled  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  caching_optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
  all_viewer       = "216adef6-5c7f-47e4-b989-5492eafa07d3"
  host_header_only = "bf0718e1-ba1e-49d1-88b1-f726733018ae"

  # The statuses whose caching CloudFront allows to configure.
  error_codes = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]

  create_certificate = var.hosted_zone_id != null && var.certificate_arn == null
  certificate_arn    = local.create_certificate ? one(aws_acm_certificate_validation.shop[*].certificate_arn) : var.certificate_arn
}

# With this secret, NGINX recognizes requests of this distribution: CloudFront's addresses are those
# of all its customers. The host accepts both values and the distribution sends one, so each can be
# replaced while the other is in use. A plan would print `output`, but not a sensitive trigger.
resource "terraform_data" "proxy_secret" {
  for_each = toset(var.https ? ["a", "b"] : [])

  triggers_replace = sensitive(replace(uuid(), "-", ""))

  lifecycle { ignore_changes = [triggers_replace] }
}

# The host reads the parameter at each bootstrap. deploy.tf starts one when the version changes.
resource "aws_ssm_parameter" "proxy_secret" {
  #checkov:skip=CKV_AWS_337:the account's own key aws/ssm is enough, as for the settings of the host
  count = var.https ? 1 : 0

  name        = "${local.settings_path}/proxy/SECRET"
  description = "What the distribution sends in X-Proxy-Secret, one of two values"
  type        = "SecureString"
  value       = join(",", [for name in ["a", "b"] : terraform_data.proxy_secret[name].triggers_replace])
}

resource "aws_cloudfront_distribution" "shop" {
  #checkov:skip=CKV_AWS_68:NGINX limits requests; a web application firewall costs 5 USD and more a month
  #checkov:skip=CKV2_AWS_47:as CKV_AWS_68; no part of the shop is written in Java
  #checkov:skip=CKV_AWS_86:NGINX logs each request that it receives; the others are for public files
  #checkov:skip=CKV_AWS_305:the application serves /
  #checkov:skip=CKV_AWS_310:there is one host, so no other origin
  #checkov:skip=CKV_AWS_374:the shop is for all countries
  #checkov:skip=CKV2_AWS_32:the application and NGINX set the security headers
  count = var.https ? 1 : 0

  comment         = var.name
  enabled         = true
  aliases         = var.domain == null ? [] : [var.domain]
  price_class     = "PriceClass_100" # the cheapest edge locations, which serve all countries
  http_version    = "http2and3"
  is_ipv6_enabled = false # limits count addresses, and an IPv6 visitor has a whole network of them

  # The host begins to redirect to the distribution when it is installed, which is later.
  wait_for_deployment = true

  origin {
    origin_id   = "host"
    domain_name = aws_eip.host.public_dns

    custom_origin_config {
      http_port              = local.application.ports.prod
      https_port             = 443 # required, not used
      origin_protocol_policy = "http-only"
      origin_ssl_protocols   = ["TLSv1.2"] # required, not used
      origin_read_timeout    = 60          # more than NGINX's own 30 seconds
    }

    custom_header {
      name  = "X-Proxy-Secret"
      value = terraform_data.proxy_secret[var.proxy_secret_in_use].triggers_replace
    }
  }

  # Everything else: never cached, with all headers, cookies and the query string.
  default_cache_behavior {
    target_origin_id         = "host"
    viewer_protocol_policy   = "redirect-to-https"
    allowed_methods          = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = local.caching_disabled
    origin_request_policy_id = local.all_viewer
  }

  # Neither cookies nor the query string reach the host, so a cached response cannot be personal.
  dynamic "ordered_cache_behavior" {
    for_each = local.application.cached

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "host"
      viewer_protocol_policy   = "redirect-to-https"
      allowed_methods          = ["GET", "HEAD"]
      cached_methods           = ["GET", "HEAD"]
      cache_policy_id          = local.caching_optimized
      origin_request_policy_id = local.host_header_only
      compress                 = true
    }
  }

  # CloudFront caches errors for 10 seconds by default, those of paths that are never cached, too.
  dynamic "custom_error_response" {
    for_each = local.error_codes

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  restrictions {
    geo_restriction { restriction_type = "none" }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = local.certificate_arn
    ssl_support_method             = var.domain == null ? null : "sni-only"
    minimum_protocol_version       = var.domain == null ? null : "TLSv1.2_2021"
  }

  tags = { Name = var.name }
}

# CloudFront reads certificates from us-east-1 only.
resource "aws_acm_certificate" "shop" {
  provider = aws.us_east_1
  count    = local.create_certificate ? 1 : 0

  domain_name       = var.domain
  validation_method = "DNS"

  lifecycle { create_before_destroy = true }
}

resource "aws_route53_record" "validation" {
  count = local.create_certificate ? 1 : 0

  zone_id         = var.hosted_zone_id
  name            = one(aws_acm_certificate.shop[0].domain_validation_options).resource_record_name
  type            = one(aws_acm_certificate.shop[0].domain_validation_options).resource_record_type
  records         = [one(aws_acm_certificate.shop[0].domain_validation_options).resource_record_value]
  ttl             = 300
  allow_overwrite = true # the record of an earlier certificate for this name
}

# Fails if the zone is not the one that the internet sees.
resource "aws_acm_certificate_validation" "shop" {
  provider = aws.us_east_1
  count    = local.create_certificate ? 1 : 0

  certificate_arn         = aws_acm_certificate.shop[0].arn
  validation_record_fqdns = aws_route53_record.validation[*].fqdn

  timeouts { create = "30m" }
}

resource "aws_route53_record" "shop" {
  count = var.hosted_zone_id == null ? 0 : 1

  zone_id = var.hosted_zone_id
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_cloudfront_distribution.shop[0].domain_name
    zone_id                = aws_cloudfront_distribution.shop[0].hosted_zone_id
    evaluate_target_health = false
  }
}
