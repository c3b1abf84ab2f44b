#!/bin/sh
# Usage: none; verbs.tf puts this text into Systems Manager documents. It adds the variables
# `environments`, the names in scripts/delivery/grammar.json, and `forms`, which has a line for each
# verb of scripts/delivery/verbs.json with the names of its arguments.
# Runs one verb of the host. SSM_* are the document's parameters.
# Runs on: the host
set -eu
: "${SSM_Verb:?is not set: the Systems Manager agent must be version 3.3.2746.0 or newer}"
export DELIVERY_ACTOR="${SSM_Actor:-unknown}"

for environment in ${environments:-}; do
  case $SSM_Verb in *-"$environment")
    echo "$SSM_Verb: this checkout is older than the host, which no longer has this verb." \
      "Update it: git pull" >&2
    exit 1
    ;;
  esac
done

known='' merge_output=''
while read -r verb form; do
  [ "$verb" = "$SSM_Verb" ] || continue
  known=yes
  for word in $form; do
    case $word in
      environment) value=${SSM_Environment:-} ;;
      image) value=${SSM_Image:-} ;;
      after) value=${SSM_After:-} ;;
      reason) value=${SSM_Reason:-} ;;
      lines) value=${SSM_Lines:-100} ;;
      dump) value=${SSM_Dump:-latest} ;;
      setting) value=${SSM_Setting:-} ;;
      values) value=${SSM_Values:-} ;;
      secret) value=${SSM_Secret:-} ;;
      command) value=${SSM_Command:-} ;;
      anonymous) value=${SSM_Anonymous:-} ;;
      --since) value=${SSM_Since:+--since=$SSM_Since} ;;
      --grep) value=${SSM_Grep:+--grep=$SSM_Grep} ;;
      --previous) value=${SSM_Previous:+--previous} ;;
      merge_output) merge_output=yes value='' ;;
      --follow) value='' ;; # only on other targets
      *) echo "unknown argument '$word': terraform/commands/verb.sh must pass it on" >&2 && exit 2 ;;
    esac
    [ -z "$value" ] || set -- "$@" "$value"
  done
done <<END
${forms:-}
END
[ -n "$known" ] || { echo "unknown verb '$SSM_Verb': expected a verb of scripts/delivery/verbs.json" >&2 && exit 2; }

# With a transfer, stdin and stdout of the verb are objects in a bucket.
transfer=${SSM_Transfer:-} program=$SSM_Verb
if [ -n "$transfer" ]; then
  set -- "$transfer" "$program" "$@"
  program=attached
fi

# Systems Manager returns the first 24,000 characters of stdout but only 8,000 of stderr. The reason
# why a deploy failed is at the end.
[ -z "$merge_output$transfer" ] || exec 2>&1
exec "/opt/book-shop/bin/$program" "$@"
