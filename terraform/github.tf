locals {
  # Only one form is trusted, because another account can take over a name.
  github_subject_prefix = coalesce(var.github_subject_prefix, "repo:${var.github_repository}")

  github_provider_arn = var.github_provider_arn == null ? one(aws_iam_openid_connect_provider.github[*].arn) : var.github_provider_arn

  # The registry calls of each job: dev pushes images, prod adds a tag to an existing manifest.
  registry_actions = {
    dev = [
      "ecr-public:BatchCheckLayerAvailability",
      "ecr-public:BatchDeleteImage", # prune
      "ecr-public:CompleteLayerUpload",
      "ecr-public:DescribeImages",
      "ecr-public:DescribeRepositories",
      "ecr-public:InitiateLayerUpload",
      "ecr-public:PutImage",
      "ecr-public:UploadLayerPart",
    ]
    prod = [
      "ecr-public:DescribeImages",
      "ecr-public:DescribeRepositories",
      "ecr-public:PutImage",
    ]
  }
}

# AWS trusts GitHub's certificate authorities, so no thumbprints are needed.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_provider_arn == null ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "github" {
  for_each = var.github_subjects

  name                 = "${var.name}-${each.key}"
  description          = "GitHub Actions of ${var.github_repository}, ${each.value}"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.github_provider_arn }
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "${local.github_subject_prefix}:${each.value}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "github" {
  for_each = var.github_subjects

  name = "deploy"
  role = aws_iam_role.github[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "RegistryLogin"
        Effect   = "Allow"
        Action   = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
        Resource = "*" # these actions have no resource-level permissions
      },
      {
        Sid      = "Registry"
        Effect   = "Allow"
        Action   = local.registry_actions[each.key]
        Resource = aws_ecrpublic_repository.shop.arn
      },
      {
        Sid      = "RunVerb"
        Effect   = "Allow"
        Action   = ["ssm:SendCommand"]
        Resource = [aws_ssm_document.verbs[each.key].arn, aws_instance.host.arn]
      },
      {
        Sid      = "FindHostAndReadOutput"
        Effect   = "Allow"
        Action   = ["ec2:DescribeInstances", "ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"]
        Resource = "*" # these actions have no resource-level permissions
      },
    ]
  })
}
