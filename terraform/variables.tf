variable "name" {
  type        = string
  description = "Name of all resources."
  default     = "book-shop"

  validation {
    condition     = can(regex("^${local.grammar.aws_name}$", var.name))
    error_message = "name must consist of 3 to 20 lower-case letters, digits and dashes, because the state's bucket contains it."
  }

  validation {
    condition     = !can(regex("^(aws|ssm)", var.name))
    error_message = "name must not begin with aws or ssm, because AWS reserves such names of parameters."
  }
}

variable "region" {
  type        = string
  description = "AWS region of the host."
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^${local.grammar.aws_region}$", var.region))
    error_message = "region must be the name of an AWS region, for example eu-central-1."
  }
}

variable "github_repository" {
  type        = string
  description = "GitHub repository whose workflows may deploy, as owner/name."

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "github_subject_prefix" {
  type        = string
  description = "The part of the subjects of GitHub's tokens that names the repository: repo:owner/name, or with ids repo:owner@1/name@2. make infra asks GitHub for it."
  default     = null

  # It must name one repository, by its name or by its id, and no environment or branch.
  validation {
    condition = var.github_subject_prefix == null || (
      can(regex("^[a-z_]+:[A-Za-z0-9@._/-]+(:[a-z_]+:[A-Za-z0-9@._/-]+)*$", var.github_subject_prefix)) &&
      can(regex("(^|:)(repo:[A-Za-z0-9_-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?|repository_id:[0-9]+)(:|$)", var.github_subject_prefix)) &&
      !can(regex("(^|:)(environment|ref):", var.github_subject_prefix))
    )
    error_message = "github_subject_prefix must be repo:owner/name or repo:owner@1/name@2, without wildcards. To print it: gh api repos/OWNER/NAME/actions/oidc/customization/sub --jq .sub_claim_prefix"
  }
}

variable "github_subjects" {
  type        = object({ dev = string, prod = string })
  description = "Jobs that may deploy: environment:NAME for jobs with an environment, as in .github/workflows, or ref:refs/heads/BRANCH for other jobs."
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
    error_message = "github_subjects must have different values for dev and prod."
  }
}

variable "github_provider_arn" {
  type        = string
  description = "ARN of the account's OIDC provider for GitHub, if it exists already. An account can have only one."
  default     = null

  validation {
    condition     = var.github_provider_arn == null || can(regex("^arn:aws:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_provider_arn))
    error_message = "github_provider_arn must be arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com."
  }
}

# Kubernetes, NGINX, PostgreSQL and both environments need about 1.05 GB of memory. Image pulls,
# rollouts and apt need more, so 2 GB (t3.small) are not enough.
variable "instance_type" {
  type        = string
  description = "EC2 instance type, x86 like the image."
  default     = "t3.medium"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type)) && !can(regex("^([a-z]+[0-9]+g[a-z]*|a1)\\.|\\.(nano|micro|small)$", var.instance_type))
    error_message = "instance_type must be an x86 type with at least 4 GB of memory, for example t3.medium."
  }
}

variable "ami_parameter" {
  type        = string
  description = "Public Systems Manager parameter with the id of the machine image (Canonical's Ubuntu 24.04 LTS)."
  default     = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id" # reviewed 2026-11-27
}

# By default the shop accepts any name, because the host's address is not known before it exists.
variable "allowed_hosts" {
  type        = string
  description = "Host names that the shop accepts, separated by commas; * accepts any name."
  default     = "*"

  validation {
    condition     = can(regex("^${local.grammar.allowed_host}(,${local.grammar.allowed_host})*$", var.allowed_hosts))
    error_message = "allowed_hosts must be host names separated by commas, without spaces. A leading dot includes all subdomains, for example .example.org."
  }
}
