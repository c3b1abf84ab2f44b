terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # scripts/infra adds the bucket, which the host's state lies in as well, and the region.
  backend "s3" {
    key          = "cluster.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project   = "book-shop"
      ManagedBy = "terraform"
    }
  }
}
