#!/bin/sh
# Prints the table of sigserve against ONNX Runtime 1.30, whose library comes from its npm package:
#   tests/bench/compare_ort.sh <build folder> [<part of the name of the work>]
# The folder is configured with -DSIGSERVE_BENCH=ON.
set -eu
build=$(cd "${1:?usage: $0 <build folder> [<part of a name>]}" && pwd)
runtime=$build/onnxruntime
library=$runtime/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
if [ ! -e "$library" ]; then
  mkdir -p "$runtime"
  (cd "$runtime" && echo '{"private":true}' >package.json &&
    npm install --ignore-scripts --no-audit --no-fund onnxruntime-node@1.30 >/dev/null)
fi
cmake --build "$build" --target compare_ort
# One core, so that the two meet the same one.
exec taskset -c "${CPU:-0}" "$build/bin/compare_ort" "$library" "${2:-}"
