# `make infra-cluster` and `make infra-cluster-plan` ask EKS for the date. A failed check is a warning
# and stops nothing.
check "standard_support" {
  data "aws_eks_cluster_versions" "used" {
    cluster_versions_only = [var.kubernetes_version]
  }

  assert {
    condition     = alltrue([for version in data.aws_eks_cluster_versions.used.cluster_versions : timecmp(timeadd(plantimestamp(), "2160h"), version.end_of_standard_support_date) < 0])
    error_message = "The standard support of Kubernetes ${var.kubernetes_version} in EKS ends on ${join("", [for version in data.aws_eks_cluster_versions.used.cluster_versions : formatdate("YYYY-MM-DD", version.end_of_standard_support_date)])}, in less than 90 days. EKS then upgrades the cluster itself. Choose the next version in kubernetes_version (variables.tf) and run make infra-cluster."
  }
}
