#!/bin/sh
# run.sh BUILD COMPILER: installs the client library of BUILD into a temporary prefix, builds the project in
# this folder against it, and runs it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --component client --prefix "$work/prefix" > "$work/log"
cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$2" >> "$work/log" ||
  { cat "$work/log"; exit 1; }
cmake --build "$work/build" >> "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/build/client_package"
