#!/bin/bash
# tests/sanitizers.sh [asan|tsan]...: the tests under AddressSanitizer + UndefinedBehaviorSanitizer, and under
# ThreadSanitizer; both when none is named. tests/run.sh has a short form of asan: what reads bytes from outside.
# ThreadSanitizer runs what needs no gRPC: Debian's gRPC is not instrumented, and its noise would drown our own races.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# -gt 0 ]] || set -- asan tsan
for preset in "$@"; do
  [[ $preset == asan || $preset == tsan ]] || { echo "tests/sanitizers.sh: asan or tsan, not '$preset'" >&2; exit 2; }
done
deploy/install_packages.sh build test check

declare -A tests=(
  [asan]='^(unit_|robustness|differential|integration|examples_test|.*_fuzz$)'
  [tsan]='^(unit_model_|unit_server_(batching|registry|training|metrics|config)$|differential$)'
)
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1
for preset in "$@"; do
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "$(nproc)"
  ctest --preset "$preset" -j "$(nproc)" -R "${tests[$preset]}"
done
