#!/bin/bash
# install_packages.sh GROUP...: installs the Debian 12 packages of these groups, those that are missing, with sudo when not
# root. The one list of them: quickstart.sh, tests/run.sh and the Dockerfile use it. README.md says what each is for.
#   build   what sigserve and sigctl are built from
#   test    what their tests need besides
#   check   clang 14: the thread-safety build, clang-format, clang-tidy, sanitizers, fuzzing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

declare -A groups=(
  [build]="cmake ninja-build g++
    libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
    prometheus-cpp-dev zlib1g-dev libssl-dev libevent-dev libnghttp2-dev pkg-config
    libhwy-dev libonnx-dev libeigen3-dev nlohmann-json3-dev"
  [test]="libgtest-dev libgmock-dev libonnx-testdata python3 python3-grpcio python3-numpy"
  [check]="clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev"
)

packages=()
for group in "$@"; do
  [[ -n ${groups[$group]:-} ]] || { echo "install_packages.sh: no group '$group'; there are: ${!groups[*]}" >&2; exit 2; }
  packages+=(${groups[$group]})
done
[[ ${#packages[@]} -gt 0 ]] || { echo "usage: install_packages.sh GROUP...; groups: ${!groups[*]}" >&2; exit 2; }
command -v apt-get >/dev/null || { echo "install_packages.sh: needs Debian 12 (no apt-get here)" >&2; exit 3; }

missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

sudo=()
if [[ $(id -u) != 0 ]]; then
  command -v sudo >/dev/null || { echo "install_packages.sh: as root, run: apt-get install ${missing[*]}" >&2; exit 3; }
  sudo=(sudo)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { # as apt-get, with its progress
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o APT::Status-Fd=1 -o Acquire::Retries=3 \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1 | "$here/show_progress.sh" "$log"
}
install() { apt install -y --no-install-recommends "${missing[@]}"; }
fail() { tail -n 20 "$log" >&2; echo "install_packages.sh: apt-get failed" >&2; exit 1; }

echo "Installing ${#missing[@]} Debian packages and what they need: ${missing[*]}"
if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
  echo "Reading the package lists first."
  { apt update && install; } || fail
else # The lists are there, but may be older than the mirror.
  install || { apt update && install; } || fail
fi
