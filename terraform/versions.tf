terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # scripts/infra adds the bucket, whose name contains the account's id, and the region.
  backend "s3" {
    key          = "terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  application = jsondecode(file("${path.module}/../application.json"))

  tags = {
    Project   = local.application.name # aws.py in scripts/delivery/targets finds the host by it
    ManagedBy = "terraform"
  }
}

provider "aws" {
  region = var.region

  default_tags { tags = local.tags }
}

# The API of ECR Public is only available in us-east-1.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags { tags = local.tags }
}
