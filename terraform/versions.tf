terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # scripts/infra adds the bucket, which carries the account's number, and the region.
  backend "s3" {
    key          = "terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  application = jsondecode(file("${path.module}/../application.json"))

  tags = {
    Project   = local.application.name # scripts/delivery/targets/aws.py finds the instance by this and its name
    ManagedBy = "terraform"
  }
}

provider "aws" {
  region = var.region

  default_tags { tags = local.tags }
}

# ECR Public is spoken to in us-east-1, wherever the rest is.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags { tags = local.tags }
}
