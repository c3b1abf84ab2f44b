locals {
  verbs   = jsondecode(file("${path.module}/../scripts/delivery/verbs.json"))
  grammar = jsondecode(file("${path.module}/../scripts/delivery/grammar.json"))

  # GitHub's roles may not send the document "data": only the owner backs up and restores
  # (docs/decisions/0046-data-verbs-for-the-owner.md).
  documents = merge(
    { data = { environments = concat(local.grammar.environments, [""]), verbs = [for name, verb in local.verbs : name if verb.document == "data"] } },
    { for environment in local.grammar.environments : environment => {
      environments = [environment], verbs = [for name, verb in local.verbs : name if verb.document == "environment"]
    } },
  )

  # commands/verb.sh reads one line per verb, for example "deploy environment image merge_output".
  verb_forms = join("\n", [for name, verb in local.verbs : join(" ", concat(
    [name],
    verb.takes_environment ? ["environment"] : [],
    [for argument in verb.arguments : trimsuffix(argument, "?")],
    try(verb.merge_output, false) ? ["merge_output"] : [],
  ))])

  # The names of the verbs until version 1.0. commands/verb.sh answers them with a remedy. Without
  # them, Systems Manager would report an error that does not help the user of an old checkout.
  outdated_verbs = { for document, its in local.documents : document => [
    for pair in setproduct(its.verbs, compact(its.environments)) : join("-", pair) if local.verbs[pair[0]].takes_environment
  ] }

  # Systems Manager passes each parameter as an environment variable, for example SSM_Verb, and
  # never inserts it into a command (interpolationType). The host's verbs validate the values again.
  parameters = {
    Image = {
      description    = "Image to deploy, to plan or to roll back to, as repository@sha256:digest"
      default        = ""
      allowedPattern = "^(${local.grammar.registry}/${local.grammar.image_name}@${local.grammar.digest})?$"
    }
    After = {
      description    = "Digest of the live image that the deploy was compared with; none; or unordered"
      default        = ""
      allowedPattern = "^(none|unordered|${local.grammar.digest})?$"
    }
    Reason = {
      description    = "Why an unordered deploy is required, for the host's history"
      default        = ""
      allowedPattern = "^[^\\x00-\\x1F\\x7F]{0,200}$"
    }
    Actor = {
      description    = "User, for the host's history"
      default        = "unknown"
      allowedPattern = "^${local.grammar.actor}$"
    }
    Dump = {
      description    = "Name of the backup to restore"
      default        = "latest"
      allowedPattern = "^(latest|${local.grammar.backup})?$"
    }
    Lines = {
      description    = "Number of lines"
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
        description   = "Verb to run"
        allowedValues = concat(its.verbs, local.outdated_verbs[document])
      }
      Environment = {
        description   = "Environment of the verb"
        default       = reverse(its.environments)[0]
        allowedValues = its.environments
      }
    }) : name => merge(parameter, { type = "String", interpolationType = "ENV_VAR" }) }
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "verb"
      inputs = {
        timeoutSeconds = "1800" # more than the sum of a deploy's own limits
        runCommand = split("\n", join("\n", [
          "environments='${join(" ", local.grammar.environments)}'",
          "forms='${local.verb_forms}'",
          trimspace(file("${path.module}/commands/verb.sh")),
        ]))
      }
    }]
  } }
}
