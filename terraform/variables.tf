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

# Public URLs and the host's own names are always accepted.
variable "allowed_hosts" {
  type        = string
  description = "Host names that the shop accepts, separated by commas; * accepts any name. By default the host's address."
  default     = null

  validation {
    condition     = var.allowed_hosts == null || can(regex("^${local.grammar.allowed_host}(,${local.grammar.allowed_host})*$", var.allowed_hosts))
    error_message = "allowed_hosts must be host names separated by commas, without spaces. A leading dot includes all subdomains, for example .example.org."
  }
}

variable "https" {
  type        = bool
  description = "Whether a CloudFront distribution serves the shop over HTTPS."
  default     = true
  nullable    = false
}

variable "domain" {
  type        = string
  description = "Host name of the shop, for example shop.example.org. By default the one that CloudFront assigns."
  default     = null

  validation {
    condition     = var.domain == null || can(regex("^${local.grammar.public_url}$", "https://${var.domain}")) && can(regex("^[^:]+[.][a-z][a-z0-9-]*$", var.domain))
    error_message = "domain must be a host name in lower-case letters, without http:// and wildcards, for example shop.example.org."
  }

  validation {
    condition     = var.domain == null || !endswith(coalesce(var.domain, "-"), ".cloudfront.net")
    error_message = "domain must not be a name of CloudFront's own: unset it to use that name."
  }

  # The checks that compare variables are here, because Terraform allows them in one direction only.
  validation {
    condition     = var.domain != null || (var.certificate_arn == null && var.hosted_zone_id == null)
    error_message = "certificate_arn and hosted_zone_id need domain, the name that they are for. Set TF_VAR_domain, or unset them."
  }

  validation {
    condition     = var.domain == null || var.https
    error_message = "domain needs https = true, because only CloudFront has a certificate for it. Unset one of them."
  }

  validation {
    condition     = var.domain == null || var.hosted_zone_id != null || var.certificate_arn != null
    error_message = "domain needs a certificate. Set hosted_zone_id to the Route 53 zone of the domain, and Terraform creates it; or set certificate_arn."
  }

  # The common name of a certificate has at most 64 characters.
  validation {
    condition     = var.domain == null || var.certificate_arn != null || length(coalesce(var.domain, "-")) <= 64
    error_message = "domain has more than 64 characters, so ACM creates no certificate for it. Set certificate_arn to one that you have requested."
  }
}

variable "certificate_arn" {
  type        = string
  description = "ARN of an existing certificate for domain, from ACM in us-east-1."
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]{36}$", var.certificate_arn))
    error_message = "certificate_arn must be arn:aws:acm:us-east-1:ACCOUNT:certificate/ID: CloudFront reads certificates from us-east-1 only."
  }
}

variable "hosted_zone_id" {
  type        = string
  description = "Id of the Route 53 zone of domain. Terraform creates the record of domain there and, without certificate_arn, a certificate."
  default     = null

  validation {
    condition     = var.hosted_zone_id == null || can(regex("^[A-Z0-9]{1,32}$", var.hosted_zone_id))
    error_message = "hosted_zone_id must be the id of a zone, for example Z0123456789ABCDEFGHIJ. To list them: aws route53 list-hosted-zones"
  }
}

variable "proxy_secret_in_use" {
  type        = string
  description = "Which of the two secrets the distribution sends: a or b (docs/operations/serve-https.md, Rotate the secret of the proxy)."
  default     = "a"

  validation {
    condition     = contains(["a", "b"], var.proxy_secret_in_use)
    error_message = "proxy_secret_in_use must be a or b."
  }
}

variable "budget_email" {
  type        = string
  description = "Address that AWS warns when the account's costs reach budget_usd. By default there is no budget."
  default     = null

  validation {
    condition     = var.budget_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.budget_email))
    error_message = "budget_email must be an e-mail address."
  }
}

variable "budget_usd" {
  type        = number
  description = "Costs of the account in a month, in USD, for budget_email."
  default     = 60

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd must be more than 0."
  }
}
