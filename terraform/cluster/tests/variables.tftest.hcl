# Tests that the variables refuse invalid values. All provider calls are mocked.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
}

run "invalid_values" {
  command = plan
  variables {
    name               = "Book-Shop"
    region             = "Frankfurt"
    kubernetes_version = "1.32"
    api_cidrs          = []
    deployer_role_arns = ["arn:aws:iam::123456789012:role/*"]
    database_class     = "t4g.micro"
  }
  expect_failures = [
    var.name,
    var.region,
    var.kubernetes_version,
    var.api_cidrs,
    var.deployer_role_arns,
    var.database_class,
  ]
}

run "other_invalid_values" {
  command = plan
  variables {
    name               = "a-name-of-more-than-20-letters"
    kubernetes_version = "latest"
    api_cidrs          = ["198.51.100.0/33"]
    deployer_role_arns = ["book-shop-prod"]
  }
  expect_failures = [
    var.name,
    var.kubernetes_version,
    var.api_cidrs,
    var.deployer_role_arns,
  ]
}
