resource "aws_ssm_document" "verbs" {
  for_each = local.contents

  name            = "${var.name}-${each.key}"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  content         = jsonencode(each.value)
}

# Runs the install script again on a running host when the script or the archive has changed. The
# script contains the archive's SHA-256, so a change creates a new version of this document and
# changes the association. The script is compressed, because Systems Manager would replace {{...}}
# in plain text. A replaced secret changes the description alone.
resource "aws_ssm_document" "install" {
  name            = "${var.name}-install"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Runs the host's install script. Version of the proxy's secret: ${try(aws_ssm_parameter.proxy_secret[0].version, "none")}"
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "install"
      inputs = {
        timeoutSeconds = "1800"
        runCommand     = concat(split("\n", trimspace(file("${path.module}/commands/install.sh"))), ["run_install '${local.user_data}'"])
      }
    }]
  })
}

# scripts/infra waits for the installation (scripts/delivery/host_installation.py). The provider's
# own wait can end at once and does not follow an update (hashicorp/terraform-provider-aws#31175).
resource "aws_ssm_association" "install" {
  association_name = "${var.name}-install"
  name             = aws_ssm_document.install.name
  document_version = aws_ssm_document.install.latest_version

  # The install script needs this role to download the archive and to store the settings. The change
  # of the address would interrupt its downloads.
  depends_on = [aws_iam_role_policy.host, aws_iam_role_policy.settings, aws_eip_association.host]

  targets {
    key    = "InstanceIds"
    values = [aws_instance.host.id]
  }
}
