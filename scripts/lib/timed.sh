#!/usr/bin/env bash
# The Makefile's shell if DELIVERY_STEPS is set. Runs a recipe (-c RECIPE) and adds its duration,
# exit status and text to the file DELIVERY_STEPS, for scripts/summary.
recipe=${*:2}
status=0 start=${EPOCHREALTIME/./}
bash "$@" || status=$?
tenths=$(((${EPOCHREALTIME/./} - start + 50000) / 100000))
echo "$((tenths / 10)).$((tenths % 10)) $status ${recipe% }" >>"$DELIVERY_STEPS"
exit "$status"
