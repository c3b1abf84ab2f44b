locals {
  # No GitHub role may send data's: what is in the databases is the owner's own affair.
  verbs = {
    data = ["backup", "backup-dev", "backup-prod", "backups", "restore-dev", "restore-prod"]
    dev  = ["plan-dev", "deploy-dev", "rollback-dev", "history-dev", "logs-dev", "status"]
    prod = ["plan-prod", "deploy-prod", "rollback-prod", "history-prod", "logs-prod", "status"]
  }

  # Each reaches the command as an environment variable, SSM_Verb and so on (interpolationType), and is never text of a shell command.
  # The host's verbs check what they are given once more.
  parameters = {
    Image = {
      description    = "What to deploy, to plan or to go back to: repository@sha256:digest"
      default        = ""
      allowedPattern = "^([a-z0-9][a-z0-9.:/_-]{0,254}@sha256:[0-9a-f]{64})?$"
    }
    Actor = {
      description    = "Who asks, for the host's deploy log"
      default        = "unknown"
      allowedPattern = "^[A-Za-z0-9][A-Za-z0-9._@\\[\\]-]{0,63}$"
    }
    Dump = {
      description    = "Which backup to restore"
      default        = "latest"
      allowedPattern = "^(latest|[0-9]{8}T[0-9]{6}Z(-replaced)?)$"
    }
    Lines = {
      description    = "How many lines"
      default        = "100"
      allowedPattern = "^[1-9][0-9]{0,4}$"
    }
  }
}

resource "aws_ssm_document" "verbs" {
  for_each = local.verbs

  name            = "${var.name}-${each.key}"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Runs one of the host's verbs: ${join(", ", each.value)}"
    parameters = merge(
      { Verb = { type = "String", description = "What to run", allowedValues = each.value, interpolationType = "ENV_VAR" } },
      { for name, parameter in local.parameters : name => merge(parameter, { type = "String", interpolationType = "ENV_VAR" }) },
    )
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "verb"
      inputs = {
        timeoutSeconds = "1800" # more than a deploy's own limits together: the lock, the migration, the rollout
        runCommand     = split("\n", trimspace(file("${path.module}/commands/verb.sh")))
      }
    }]
  })
}

# Runs the install script again on a living host when it has changed: a changed script is a new version of the document, and with it a
# changed association. Packed, since Systems Manager would take {{...}} in the script for parameters of its own.
resource "aws_ssm_document" "install" {
  name            = "${var.name}-install"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Runs the host's install script"
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

resource "aws_ssm_association" "install" {
  association_name = "${var.name}-install"
  name             = aws_ssm_document.install.name
  document_version = aws_ssm_document.install.latest_version
  # `apply` ends when the host is ready, and fails when it can't be installed.
  wait_for_success_timeout_seconds = 1200

  targets {
    key    = "InstanceIds"
    values = [aws_instance.host.id]
  }
}
