variable "name" {
  type        = string
  description = "Name of all resources, as in terraform/variables.tf."
  default     = "book-shop"

  validation {
    condition     = can(regex("^${local.grammar.aws_name}$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and dashes."
  }
}

variable "region" {
  type        = string
  description = "AWS region of the cluster."
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^${local.grammar.aws_region}$", var.region))
    error_message = "region must be the name of an AWS region, for example eu-central-1."
  }
}

variable "kubernetes_version" {
  type        = string
  description = "Kubernetes version of the control plane. The nodes follow it."
  default     = "1.36" # reviewed 2026-11-27

  validation {
    condition     = can(regex("^1\\.(3[3-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.33 or newer, for example 1.36: the manifests require that."
  }
}

variable "api_cidrs" {
  type        = list(string)
  description = "IPv4 ranges that may connect to the API server. GitHub's runners have no fixed addresses, so by default all may connect; the server requires credentials."
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.api_cidrs) > 0 && alltrue([for cidr in var.api_cidrs : can(cidrnetmask(cidr))])
    error_message = "api_cidrs must be a list of IPv4 ranges, for example 198.51.100.0/24."
  }
}

variable "deployer_role_arns" {
  type        = list(string)
  description = "ARNs of the IAM roles that deploy, for example the output roles.prod of terraform/. They get the rights of the group book-shop-deployers in scripts/cluster/k8s/deploys.yaml."
  default     = []

  validation {
    condition     = alltrue([for arn in var.deployer_role_arns : can(regex("^arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_-]+$", arn))])
    error_message = "deployer_role_arns must be arn:aws:iam::ACCOUNT:role/NAME, without a path."
  }
}

variable "database_class" {
  type        = string
  description = "RDS instance class."
  default     = "db.t4g.micro"

  validation {
    condition     = can(regex("^db\\.[a-z][a-z0-9]*\\.[a-z0-9]+$", var.database_class))
    error_message = "database_class must be an RDS instance class, for example db.t4g.micro."
  }
}

variable "database_multi_az" {
  type        = bool
  description = "Whether a standby database server runs in another zone, which doubles the price."
  default     = true
}

variable "database_deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete the database. scripts/infra then refuses to delete the cluster."
  default     = true
}
