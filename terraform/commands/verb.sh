#!/bin/sh
# Usage: none; the text of the Systems Manager documents in verbs.tf, which puts the assignment of
# `forms` in front: a line for each verb of scripts/delivery/verbs.json, with the form of its
# arguments. Runs one verb of the host; its output and exit status become the command's. SSM_* are
# the document's parameters.
# Runs on: the host
set -eu
: "${SSM_Verb:?the Systems Manager agent passes no parameters: it must be 3.3.2746.0 or newer}"
export DELIVERY_ACTOR="${SSM_Actor:-unknown}"

case $SSM_Verb in *-dev | *-prod)
  echo "$SSM_Verb: this checkout is older than the host, which no longer has this verb." \
    "Update it: git pull" >&2
  exit 1
  ;;
esac

known='' merge_output=''
while read -r verb form; do
  [ "$verb" = "$SSM_Verb" ] || continue
  known=yes
  for word in $form; do
    case $word in
      environment) value=${SSM_Environment:-} ;;
      image) value=${SSM_Image:-} ;;
      lines) value=${SSM_Lines:-100} ;;
      dump) value=${SSM_Dump:-latest} ;;
      merge_output) merge_output=yes value='' ;;
    esac
    [ -z "$value" ] || set -- "$@" "$value"
  done
done <<END
${forms:-}
END
[ -n "$known" ] || { echo "no such verb: '$SSM_Verb'" >&2 && exit 2; }

# Systems Manager passes on 24,000 characters of stdout but only 8,000 of stderr, the first ones;
# why a deploy failed comes last.
[ -z "$merge_output" ] || exec 2>&1
exec "/opt/book-shop/bin/$SSM_Verb" "$@"
