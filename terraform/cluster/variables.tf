variable "name" {
  type        = string
  description = "What everything here is called; the first root's name."
  default     = "book-shop"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and dashes."
  }
}

variable "region" {
  type        = string
  description = "AWS region of the cluster."
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[1-9]$", var.region))
    error_message = "region must be the name of an AWS region, as in eu-central-1."
  }
}

variable "kubernetes_version" {
  type        = string
  description = "Kubernetes of the control plane; nodes follow it."
  default     = "1.36"

  validation {
    condition     = can(regex("^1\\.(3[3-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.33 or newer, as in 1.36: the manifests need that."
  }
}

variable "api_cidrs" {
  type        = list(string)
  description = "From where the API server may be asked. GitHub's runners have no addresses of their own: open to all, it still wants credentials."
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.api_cidrs) > 0 && alltrue([for cidr in var.api_cidrs : can(cidrnetmask(cidr))])
    error_message = "api_cidrs must be IPv4 ranges, as in 198.51.100.0/24."
  }
}

variable "deployer_role_arns" {
  type        = list(string)
  description = "IAM roles that deploy: the first root's output roles.prod. They get what scripts/cluster/k8s/deploys.yaml gives the group book-shop-deployers, no more."
  default     = []

  validation {
    condition     = alltrue([for arn in var.deployer_role_arns : can(regex("^arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_-]+$", arn))])
    error_message = "deployer_role_arns must be arn:aws:iam::ACCOUNT:role/NAME, without a path."
  }
}

# PostgreSQL 16, as Ubuntu 24.04 has it on the host: pg_restore there reads no dump of a newer server, and the way back is by a dump.
variable "database_class" {
  type        = string
  description = "RDS instance class."
  default     = "db.t4g.micro"

  validation {
    condition     = can(regex("^db\\.[a-z][a-z0-9]*\\.[a-z0-9]+$", var.database_class))
    error_message = "database_class must be an RDS instance class, as in db.t4g.micro."
  }
}

variable "database_multi_az" {
  type        = bool
  description = "Whether a second database server stands by in another zone, at twice the price."
  default     = true
}
