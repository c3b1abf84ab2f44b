# The settings of dev and prod are parameters /NAME/ENVIRONMENT/SETTING. The host creates and changes
# them, so that Terraform's state has no secret (docs/decisions/0085-settings-in-parameter-store.md).

locals {
  settings_path = "/${var.name}"
  settings_arn  = "arn:aws:ssm:${var.region}:${data.aws_caller_identity.current.account_id}:parameter${local.settings_path}/*"
}

resource "aws_iam_role_policy" "settings" {
  name = "settings"
  role = aws_iam_role.host.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Settings"
        Effect   = "Allow"
        Action   = ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParametersByPath", "ssm:PutParameter"]
        Resource = local.settings_arn
      },
      {
        Sid      = "ActorOfSettings"
        Effect   = "Allow"
        Action   = "ssm:DescribeParameters"
        Resource = "*" # this action has no resource-level permissions; it returns no values
      },
      {
        # The managed policy AmazonSSMManagedInstanceCore allows reading every parameter of the account.
        Sid         = "NoOtherParameters"
        Effect      = "Deny"
        Action      = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath"]
        NotResource = local.settings_arn
      },
      {
        # Terraform alone writes the proxy's secret (edge.tf).
        Sid      = "ReadProxySecretOnly"
        Effect   = "Deny"
        Action   = ["ssm:DeleteParameter", "ssm:PutParameter"]
        Resource = "${trimsuffix(local.settings_arn, "*")}proxy/*"
      },
    ]
  })
}
