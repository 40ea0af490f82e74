#!/bin/bash
# tests/sanitizers.sh [asan|tsan|bytes]...: the tests under AddressSanitizer + UndefinedBehaviorSanitizer, and under
# ThreadSanitizer; both when none is named.
#   bytes   the short form of asan for CI: only what reads bytes from outside (formats, codec, rpc, predict, transport)
# ThreadSanitizer runs what needs no gRPC: Debian's gRPC is not instrumented, and its noise would drown our own races.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# -gt 0 ]] || set -- asan tsan
for preset in "$@"; do
  [[ $preset == asan || $preset == tsan || $preset == bytes ]] ||
    { echo "tests/sanitizers.sh: asan, tsan or bytes, not '$preset'" >&2; exit 2; }
done
deploy/install_packages.sh build test check

declare -A tests=(
  [asan]='^(unit_|robustness|differential|integration|examples_test|.*_fuzz$)'
  [tsan]='^(unit_model_|unit_server_(batching|registry|training|metrics|config)$|differential$)'
  [bytes]='^(unit_model_formats|unit_server_(rpc|predict|codec|net|transport)|robustness$|.*_fuzz$)'
)
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1
for name in "$@"; do
  preset=${name/bytes/asan}
  cmake --preset "$preset" >/dev/null
  targets=()
  if [[ $name == bytes ]]; then # the tests' own binaries: ctest's names are the targets'
    mapfile -t targets < <(ctest --preset "$preset" -N -R "${tests[$name]}" | sed -n 's/.*Test *#[0-9]*: //p')
    [[ ${#targets[@]} -gt 0 ]] || { echo "tests/sanitizers.sh: no tests match" >&2; exit 1; }
    targets=(--target "${targets[@]}")
  fi
  cmake --build --preset "$preset" -j "$(nproc)" "${targets[@]}"
  ctest --preset "$preset" -j "$(nproc)" -R "${tests[$name]}"
done
