# Tests that the variables refuse invalid values. Each run sets several variables.
mock_provider "aws" {}
mock_provider "aws" {
  alias = "us_east_1"
}

# wildcards, another provider, too little memory, shell commands
run "first" {
  command = plan
  variables {
    github_repository     = "acme/*"
    github_subjects       = { dev = "ref:refs/heads/*", prod = "ref:refs/heads/main" }
    github_subject_prefix = "repo:acme/*"
    github_provider_arn   = "arn:aws:iam::123456789012:oidc-provider/example.com"
    name                  = "Book-Shop"
    region                = "Frankfurt"
    instance_type         = "t3.small"
    allowed_hosts         = "a;reboot"
  }
  expect_failures = [
    var.github_repository,
    var.github_subjects,
    var.github_subject_prefix,
    var.github_provider_arn,
    var.name,
    var.region,
    var.instance_type,
    var.allowed_hosts,
  ]
}

# no owner, pull requests, a whole subject, another architecture, wildcards in host names, a name that AWS reserves
run "second" {
  command = plan
  variables {
    github_repository     = "shop"
    github_subjects       = { dev = "pull_request", prod = "ref:refs/heads/main" }
    github_subject_prefix = "repo:acme/shop:environment:dev"
    instance_type         = "t4g.medium"
    allowed_hosts         = "*.example.org"
    name                  = "ssm-shop"
  }
  expect_failures = [
    var.name,
    var.github_repository,
    var.github_subjects,
    var.github_subject_prefix,
    var.instance_type,
    var.allowed_hosts,
  ]
}

# a repository with a subject, all repositories of an owner, the same subject for both environments, a name that is too long
run "third" {
  command = plan
  variables {
    github_repository     = "acme/shop:ref:refs/heads/x"
    github_subjects       = { dev = "ref:refs/heads/main", prod = "ref:refs/heads/main" }
    github_subject_prefix = "repository_owner:acme"
    name                  = "a-name-of-more-than-20-letters"
  }
  expect_failures = [
    var.github_repository,
    var.github_subjects,
    var.github_subject_prefix,
    var.name,
  ]
}

# a certificate of the wrong region, the ARN of a zone, another secret, no address, no amount
run "edge" {
  command = plan
  variables {
    github_repository   = "acme/shop"
    domain              = "shop.example.org"
    certificate_arn     = "arn:aws:acm:eu-central-1:123456789012:certificate/22222222-2222-2222-2222-222222222222"
    hosted_zone_id      = "/hostedzone/Z0123456789ABCDEFGHIJ"
    proxy_secret_in_use = "c"
    budget_email        = "owner"
    budget_usd          = 0
  }
  expect_failures = [
    var.certificate_arn,
    var.hosted_zone_id,
    var.proxy_secret_in_use,
    var.budget_email,
    var.budget_usd,
  ]
}

run "domain_without_a_certificate" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "shop.example.org"
  }
  expect_failures = [var.domain]
}

run "certificate_without_a_domain" {
  command = plan
  variables {
    github_repository = "acme/shop"
    certificate_arn   = "arn:aws:acm:us-east-1:123456789012:certificate/22222222-2222-2222-2222-222222222222"
  }
  expect_failures = [var.domain]
}

run "zone_without_a_domain" {
  command = plan
  variables {
    github_repository = "acme/shop"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_without_https" {
  command = plan
  variables {
    github_repository = "acme/shop"
    https             = false
    domain            = "shop.example.org"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_wildcard" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "*.example.org"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_port" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "shop.example.org:8443"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_url" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "https://shop.example.org"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_one_label" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "localhost"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_ip_address" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "198.51.100.7"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_name_of_cloudfront" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "d111111abcdef8.cloudfront.net"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "domain_long_name" {
  command = plan
  variables {
    github_repository = "acme/shop"
    domain            = "${join("", [for i in range(60) : "a"])}.example.org"
    hosted_zone_id    = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}
