# Tests the warning about the end of standard support, and the limit of connections. The dates are far
# away, so that no test fails because time passes.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
}

run "supported" {
  command = plan

  override_data {
    target = data.aws_eks_cluster_versions.used
    values = { cluster_versions = [{ cluster_version = "1.36", end_of_standard_support_date = "2999-01-01T00:00:00Z" }] }
  }
  assert {
    condition     = aws_db_instance.main.parameter_group_name == var.name && tolist(aws_db_parameter_group.main.parameter)[0] == { name = "max_connections", value = "100", apply_method = "pending-reboot" }
    error_message = "The database must accept the number of connections that is budgeted."
  }
}

run "ended" {
  command         = plan
  expect_failures = [check.standard_support]

  override_data {
    target = data.aws_eks_cluster_versions.used
    values = { cluster_versions = [{ cluster_version = "1.36", end_of_standard_support_date = "2020-01-01T00:00:00Z" }] }
  }
}
