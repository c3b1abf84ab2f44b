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
