#!/bin/bash
# tests/run.sh [--fast]: installs what is missing, builds everything and runs every test. Works on a bare Debian 12.
#   --fast   the tests alone: no clang build, clang-format or clang-tidy
# Exit 0 = all passed. The last output is ctest's summary; the static checks report before it.
set -euo pipefail
self=$(realpath "${BASH_SOURCE[0]}")
cd "$(dirname "$self")/.."

fast=false
for argument in "$@"; do
  case $argument in
    --fast) fast=true ;;
    --help | -h) sed -n '2,4s/^# \{0,1\}//p' "$self"; exit 0 ;;
    *) echo "tests/run.sh: unknown argument '$argument' (--help)" >&2; exit 2 ;;
  esac
done

failed=()
step() { # NAME COMMAND...: runs it; a failure is kept for the end.
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@" || failed+=("$name")
  echo "== $name: $((SECONDS - start)) s"
}
check_format() {
  find client model server tests \( -name '*.h' -o -name '*.cc' \) -print0 | xargs -0 -r clang-format-14 --dry-run -Werror
}
# One clang build serves three checks: its thread-safety analysis of everything that ships, AddressSanitizer and
# UndefinedBehaviorSanitizer in the tests of what reads bytes from outside, and clang-tidy on the same sources.
reads_bytes='^(unit_model_formats.*|unit_server_(rpc|predict|codec|net|transport.*)|robustness|.*_fuzz)$'
check_clang_build() {
  cmake --preset debug -B build/check -DSIGSERVE_TESTS=ON -DSIGSERVE_SANITIZE=address,undefined >/dev/null || return
  local tests
  mapfile -t tests < <(ctest --test-dir build/check -N -R "$reads_bytes" | sed -n 's/.*Test *#[0-9]*: //p')
  [[ ${#tests[@]} -gt 0 ]] || { echo "no tests match $reads_bytes" >&2; return 1; }
  cmake --build build/check -j "$(nproc)" --target sigserve sigctl "${tests[@]}" # ctest's names are the targets'
}
check_bytes() {
  ctest --test-dir build/check -j "$(nproc)" --output-on-failure -R "$reads_bytes"
}
check_tidy() {
  find client model server -name '*.cc' -print0 |
    xargs -0 -r -n 1 -P "$(nproc)" clang-tidy-14 -p build/check --quiet 2> >(grep -v 'warnings generated' >&2)
}
build_release() {
  cmake --preset release -DSIGSERVE_TESTS=ON >/dev/null && cmake --build --preset release -j "$(nproc)"
}

if ! $fast; then
  deploy/install_packages.sh build test check
  step "clang-format" check_format
  step "clang -Wthread-safety" check_clang_build
  step "ASan and UBSan on what reads bytes" check_bytes
  step "clang-tidy" check_tidy
else
  deploy/install_packages.sh build test
fi
build_release || { echo "FAILED: the build ${failed[*]}"; exit 1; }
[[ ${#failed[@]} -eq 0 ]] || echo "FAILED before the tests: ${failed[*]}"
status=0
ctest --preset release -j "$(nproc)" || status=$?
[[ ${#failed[@]} -eq 0 ]] || status=1
exit "$status"
