variable "name" {
  type        = string
  description = "What everything here is called."
  default     = "book-shop"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and dashes; the bucket of the state is named after it too."
  }
}

variable "region" {
  type        = string
  description = "AWS region of the host."
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[1-9]$", var.region))
    error_message = "region must be the name of an AWS region, as in eu-central-1."
  }
}

variable "github_repository" {
  type        = string
  description = "owner/name of the one GitHub repository whose workflows may deploy."

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "github_ids" {
  type        = string
  description = "owner-id/repository-id. Repositories made or renamed since July 2026 have both in the subject of their tokens: repo:owner@1/name@2:..."
  default     = null

  validation {
    condition     = var.github_ids == null || can(regex("^[1-9][0-9]*/[1-9][0-9]*$", var.github_ids))
    error_message = "github_ids must be two numbers, owner-id/repository-id: gh api repos/OWNER/NAME --jq '\"\\(.owner.id)/\\(.id)\"'."
  }
}

variable "github_subjects" {
  type        = object({ dev = string, prod = string })
  description = "Who in that repository may deploy: environment:NAME, as the jobs in .github/workflows name one, or ref:refs/heads/BRANCH for jobs that name none."
  default = {
    dev  = "environment:dev"
    prod = "environment:prod"
  }

  validation {
    condition     = alltrue([for subject in values(var.github_subjects) : can(regex("^(ref:refs/heads/|environment:)[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", subject))])
    error_message = "github_subjects must be ref:refs/heads/BRANCH or environment:NAME, without wildcards."
  }

  validation {
    condition     = var.github_subjects.dev != var.github_subjects.prod
    error_message = "dev and prod must not be deployed by the same subject."
  }
}

variable "github_provider_arn" {
  type        = string
  description = "The account's OIDC provider for GitHub, if it has one already: there can be only one."
  default     = null

  validation {
    condition     = var.github_provider_arn == null || can(regex("^arn:aws:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_provider_arn))
    error_message = "github_provider_arn must be arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com."
  }
}

# Kubernetes, NGINX, PostgreSQL and both environments take about 1.05 GB on the local host; image pulls, the surge of a rollout and apt
# come on top. 2 GB (t3.small) is too tight for that, 4 GB is not. x86, as the image is.
variable "instance_type" {
  type        = string
  description = "EC2 instance type, x86."
  default     = "t3.medium"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type)) && !can(regex("^([a-z]+[0-9]+g[a-z]*|a1)\\.|\\.(nano|micro|small)$", var.instance_type))
    error_message = "instance_type must be an x86 type with at least 4 GB of memory, as t3.medium has."
  }
}

variable "ami_parameter" {
  type        = string
  description = "Public Systems Manager parameter that names the machine image: Canonical's Ubuntu 24.04 LTS."
  default     = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
}

# The host's address isn't known before the host exists, so by default the shop answers to any name. Set it once a name points there.
variable "allowed_hosts" {
  type        = string
  description = "Host names that the shop answers to, with commas between; * for any."
  default     = "*"

  validation {
    condition     = can(regex("^(\\*|\\.?[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*)(,(\\*|\\.?[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*))*$", var.allowed_hosts))
    error_message = "allowed_hosts must be host names with commas between, without spaces; a domain and all below it is written .example.org."
  }
}
