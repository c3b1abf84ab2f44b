terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # scripts/infra adds the bucket, which also has the state of terraform/, and the region.
  backend "s3" {
    key          = "cluster.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  application = jsondecode(file("${path.module}/../../application.json"))
  grammar     = jsondecode(file("${path.module}/../../scripts/delivery/grammar.json"))
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project   = local.application.name
      ManagedBy = "terraform"
    }
  }
}
