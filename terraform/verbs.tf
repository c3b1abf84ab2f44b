locals {
  verbs   = jsondecode(file("${path.module}/../scripts/delivery/verbs.json"))
  grammar = jsondecode(file("${path.module}/../scripts/delivery/grammar.json"))

  # GitHub's roles may send the document of their environment only. The others are for the owner:
  # data, settings, commands (docs/decisions/0046-data-verbs-for-the-owner.md).
  kinds = toset(compact([for verb in local.verbs : verb.document]))
  documents = merge(
    { for kind in setsubtract(local.kinds, ["environment"]) : kind => {
      verbs = [for name, verb in local.verbs : name if verb.document == kind]
      # Without an environment, a verb acts on both.
      environments = concat(local.grammar.environments, alltrue([for verb in local.verbs : verb.takes_environment if verb.document == kind]) ? [] : [""])
    } },
    { for environment in local.grammar.environments : environment => {
      verbs = [for name, verb in local.verbs : name if verb.document == "environment"], environments = [environment]
    } },
  )

  # commands/verb.sh reads one line per verb, for example "deploy environment image merge_output".
  # An option has its dashes.
  verb_forms = join("\n", [for name, verb in local.verbs : join(" ", concat(
    [name],
    verb.takes_environment ? ["environment"] : [],
    [for argument in verb.arguments : trimsuffix(argument, "?")],
    [for option in try(verb.options, []) : "--${option}"],
    try(verb.merge_output, false) ? ["merge_output"] : [],
  )) if verb.document != null])

  # The names of the verbs until version 1.0. commands/verb.sh answers them with a remedy. Without
  # them, Systems Manager would report an error that does not help the user of an old checkout.
  outdated_verbs = { for document, its in local.documents : document => [
    for pair in setproduct(its.verbs, compact(its.environments)) : join("-", pair) if local.verbs[pair[0]].takes_environment
  ] }

  # At most 200 printable characters, without {{.
  line = "(\\{?[^\\x00-\\x1F\\x7F{]){0,200}\\{?"

  # Systems Manager passes each parameter as an environment variable, for example SSM_Verb, and
  # never inserts it into a command (interpolationType). The host's verbs validate the values again.
  # It may replace {{ssm:NAME}} in a value by the parameter of that name, so {{ is not allowed.
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
      allowedPattern = "^${local.line}$"
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
    Since = {
      description    = "Age of the oldest line, such as 2h30m, or its time (RFC 3339)"
      default        = ""
      allowedPattern = "^(([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?|[0-9-]{10}T[0-9:]{8}([.][0-9]{1,9})?(Z|[+-][0-9:]{5}))$"
    }
    Grep = {
      description    = "Text that the lines contain"
      default        = ""
      allowedPattern = "^${local.line}$"
    }
    Previous = {
      description   = "Whether the lines are those of the previous container"
      default       = ""
      allowedValues = ["", "yes"]
    }
    Setting = {
      description    = "Name of a setting"
      default        = ""
      allowedPattern = "^(${local.grammar.setting})?$"
    }
    Values = {
      description   = "Whether to print the values that are not secret"
      default       = ""
      allowedValues = ["", "values"]
    }
    Secret = {
      description   = "Secret to replace"
      default       = ""
      allowedValues = ["", "database", "secret-key"]
    }
    Command = {
      description    = "Arguments of manage.py, as a JSON list without {"
      default        = ""
      maxChars       = 8192
      allowedPattern = "^(\\[[^\\x00-\\x1F\\x7F{]*\\])?$"
    }
    Anonymous = {
      description   = "Whether to make the data anonymous"
      default       = ""
      allowedValues = ["", "anonymous"]
    }
    Transfer = {
      description    = "Id of stdin and stdout in the bucket for transfers"
      default        = ""
      allowedPattern = "^(${local.grammar.transfer})?$"
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
      Environment = merge(
        { description = "Environment of the verb", allowedValues = its.environments },
        # A document of both environments has no default, so that none is changed by mistake.
        { for environment in its.environments : "default" => environment if environment == "" || length(its.environments) == 1 },
      )
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
