#!/bin/bash
# quickstart.sh [--once]: from a bare Debian 12 to a served, retrained classifier.
#   Installs the packages it needs, builds sigserve, serves a copy of deploy/examples/repository, predicts held-out rows,
#   trains a second version over gRPC, predicts with it, and goes on serving until Ctrl-C.
#   --once   stop instead of going on serving (for CI)
# Exit 0 = every step worked.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

once=false
for argument in "$@"; do
  case $argument in
    --once) once=true ;;
    --help | -h) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "quickstart.sh: unknown argument '$argument' (--help)" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d)
server=
stop_server() {
  [[ -n $server ]] || return 0
  local pid=$server
  server=
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid"
}
finish() {
  local status=$?
  stop_server || true
  [[ $status -eq 0 || ! -s $work/server.log ]] || { echo "-- the server's last lines:"; tail -n 20 "$work/server.log"; } >&2
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 0' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }
die() { echo "quickstart.sh: $*" >&2; exit 1; }

cores=$(nproc)
cat <<TEXT
sigserve quickstart: installs Debian packages, builds, serves the example models, predicts, trains a second version.
On a machine without them, the packages take up to 3 minutes and 0.7 GB of disk; the build takes about $(((14 + cores - 1) / cores)) minutes
on this machine's $cores cores and 0.4 GB. A second run takes seconds.
TEXT

say "1. Install packages (next: build)"
"$root/deploy/install_packages.sh" build
echo "All packages are installed."

say "2. Build sigserve and sigctl (next: serve the examples)"
build=$root/build/release
cd "$root"
compile() {
  # A configured build folder stays as it is: with its tests, when it has them.
  {
    { [[ -f $build/build.ninja ]] || cmake --preset release -DSIGSERVE_TESTS=OFF; } &&
      cmake --build --preset release --target sigserve sigctl -j "$cores"
  } 2>&1 | "$root/deploy/show_progress.sh" "$work/build.log"
}
compile || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
echo "build/release/bin/sigserve, build/release/bin/sigctl"

say "3. Serve the example models (next: predict)"
cp -r "$root/deploy/examples/repository" "$work/repository"
port() { # PREFERRED: it, or 0 (any free port) if it is taken.
  (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || { echo "$1"; return; }
  echo "Port $1 is taken: using another." >&2
  echo 0
}
: >"$work/server.log"
"$build/bin/sigserve" --repository="$work/repository" --grpc_address="127.0.0.1:$(port 8001)" \
  --http_address="127.0.0.1:$(port 8002)" >"$work/server.log" 2>&1 &
server=$!
address_of() { sed -n "s/.*$1[^0-9]*\(127\.0\.0\.1:[0-9]*\).*/\1/p" "$work/server.log" | head -n 1; }
for ((attempt = 0; attempt < 200; attempt++)); do
  kill -0 "$server" 2>/dev/null || { server=; die "sigserve did not start"; }
  grpc=$(address_of gRPC)
  http=$(address_of HTTP)
  if [[ -n $grpc && -n $http ]] && "$build/bin/sigctl" health --address="$grpc" >/dev/null 2>&1; then break; fi
  sleep 0.05
done
[[ $attempt -lt 200 ]] || die "sigserve was not ready in time"
sigctl() { "$build/bin/sigctl" "$@" --address="$grpc"; }
sigctl models

data=$root/deploy/examples/breast_cancer
predict() { # The first held-out rows with their true labels (1 = benign), and the accuracy on all 143.
  sigctl predict breast_cancer --input "$data/test.csv" --label-column label --decisions --limit 5 "$@"
}
say "4. Predict held-out rows (label 1 = benign; next: train)"
predict

say "5. Train a second version over gRPC (next: predict with it)"
# Logistic regression with a little weight decay: on these rows it does at least as well as version 1's hidden layer.
sigctl train breast_cancer --data "$data/train.csv" --label-column label --epochs 100 --batch-size 32 \
  --learning-rate 0.003 --weight-decay 0.001 --validation 0.2 --seed 1

say "6. Predict with version 2"
predict --version 2 | tee "$work/answer"
grep -q "by breast_cancer version 2, accuracy" "$work/answer" || die "version 2 does not answer"

say "Serving"
echo "gRPC     $grpc   (sigserve.v1, Open Inference Protocol, grpc.health.v1, reflection)"
echo "health   http://$http/healthz   http://$http/readyz"
echo "metrics  http://$http/metrics"
echo "logs     $work/server.log"
if $once; then
  stop_server || die "sigserve did not stop cleanly"
  echo "Stopped."
else
  echo "Stop it with Ctrl-C, or: kill $$"
  wait "$server" || { server=; die "sigserve ended by itself"; }
fi
