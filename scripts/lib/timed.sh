#!/usr/bin/env bash
# The Makefile's shell where STEPS names a file: runs a recipe (-c RECIPE) and adds a line about it to that file, for scripts/summary.
recipe=${*:2}
status=0 start=${EPOCHREALTIME/./}
bash "$@" || status=$?
tenths=$(((${EPOCHREALTIME/./} - start + 50000) / 100000))
echo "$((tenths / 10)).$((tenths % 10)) $status ${recipe% }" >>"$STEPS"
exit "$status"
