#!/usr/bin/env bash
# The Makefile uses this as its shell if DELIVERY_STEPS names a file. Runs a recipe (-c RECIPE) and adds a
# line about it to that file for scripts/summary.
recipe=${*:2}
status=0 start=${EPOCHREALTIME/./}
bash "$@" || status=$?
tenths=$(((${EPOCHREALTIME/./} - start + 50000) / 100000))
echo "$((tenths / 10)).$((tenths % 10)) $status ${recipe% }" >>"$DELIVERY_STEPS"
exit "$status"
