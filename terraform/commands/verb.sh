#!/bin/sh
# Usage: none; the text of the Systems Manager documents in deploy.tf.
# Runs one verb of the host; its output and exit status become the command's. SSM_* are the document's parameters.
# Runs on: the host
set -eu
: "${SSM_Verb:?the Systems Manager agent hands over no parameters: it must be 3.3.2746.0 or newer}"
bin=/opt/book-shop/bin
export ACTOR="${SSM_Actor:-unknown}"

# Systems Manager passes on 24,000 characters of stdout but only 8,000 of stderr, the first ones; why a deploy failed comes last.
case $SSM_Verb in
  deploy-dev | deploy-prod | rollback-dev | rollback-prod) exec "$bin/$SSM_Verb" "${SSM_Image:-}" 2>&1 ;;
  plan-dev | plan-prod) exec "$bin/plan" "${SSM_Verb#plan-}" "${SSM_Image:-}" ;;
  history-dev | history-prod | logs-dev | logs-prod) exec "$bin/${SSM_Verb%-*}" "${SSM_Verb#*-}" "${SSM_Lines:-100}" ;;
  backup | backups) exec "$bin/$SSM_Verb" ;;
  backup-dev | backup-prod) exec "$bin/backup" "${SSM_Verb#backup-}" ;;
  restore-dev | restore-prod) exec "$bin/restore" "${SSM_Verb#restore-}" "${SSM_Dump:-latest}" 2>&1 ;;
  status) exec "$bin/status" --json ;;
  *) echo "no such verb: '$SSM_Verb'" >&2 && exit 2 ;;
esac
