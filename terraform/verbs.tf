locals {
  verbs = jsondecode(file("${path.module}/../scripts/delivery/verbs.json"))

  # No GitHub role may send the document "data": what is in the databases is the owner's own affair.
  documents = {
    data = { environments = ["dev", "prod", ""], verbs = [for name, verb in local.verbs : name if verb.document == "data"] }
    dev  = { environments = ["dev"], verbs = [for name, verb in local.verbs : name if verb.document == "environment"] }
    prod = { environments = ["prod"], verbs = [for name, verb in local.verbs : name if verb.document == "environment"] }
  }

  # What commands/verb.sh reads: a line for each verb, "deploy environment image merge_output".
  verb_forms = join("\n", [for name, verb in local.verbs : join(" ", concat(
    [name],
    length(verb.environments) > 0 ? ["environment"] : [],
    [for argument in verb.arguments : trimsuffix(argument, "?")],
    try(verb.merge_output, false) ? ["merge_output"] : [],
  ))])

  # The names until version 1.0. commands/verb.sh answers them with a message; without them an old checkout
  # would get Systems Manager's own error, which names no remedy.
  outdated_verbs = { for document, its in local.documents : document => [
    for pair in setproduct(its.verbs, compact(its.environments)) : join("-", pair) if length(local.verbs[pair[0]].environments) > 0
  ] }

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
      allowedPattern = "^(latest|[0-9]{8}T[0-9]{6}Z(-replaced)?)?$"
    }
    Lines = {
      description    = "How many lines"
      default        = "100"
      allowedPattern = "^[1-9][0-9]{0,4}$"
    }
  }

  # The content of the Systems Manager documents.
  contents = { for document, its in local.documents : document => {
    schemaVersion = "2.2"
    description   = "Runs one of the host's verbs: ${join(", ", its.verbs)}"
    parameters = { for name, parameter in merge(local.parameters, {
      Verb = {
        description   = "What to run"
        allowedValues = concat(its.verbs, local.outdated_verbs[document])
      }
      Environment = {
        description   = "Where to run it"
        default       = reverse(its.environments)[0]
        allowedValues = its.environments
      }
    }) : name => merge(parameter, { type = "String", interpolationType = "ENV_VAR" }) }
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "verb"
      inputs = {
        timeoutSeconds = "1800" # more than a deploy's own limits together: the lock, the migration, the rollout
        runCommand = split("\n", join("\n", [
          "forms='${local.verb_forms}'",
          trimspace(file("${path.module}/commands/verb.sh")),
        ]))
      }
    }]
  } }
}
