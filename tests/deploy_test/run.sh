#!/bin/bash
# run.sh BIN ROOT: deploy/show_progress.sh on recorded output, then deploy/quickstart.sh --once with the binaries in BIN. A stub
# takes the place of cmake, so that nothing is built. The trained version must be at least as accurate as the first.
set -euo pipefail
bin=$(realpath "$1")
root=$(realpath "$2")
work=$(mktemp -d)
feeder=
finish() {
  [[ -z $feeder ]] || kill "$feeder" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
fail() { echo "deploy_test: $*" >&2; exit 1; }
[[ -f $root/deploy/show_progress.sh ]] || fail "no deploy/show_progress.sh in $root"

# One version: the build's, which `sigserve --version` prints, and the image's label.
built=$(sed -n 's/^project(sigserve VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
if [[ -f $root/Dockerfile ]]; then # an image's build does not have it
  grep -q "image.version=\"$built\"" "$root/Dockerfile" || fail "the Dockerfile's label is not version $built"
fi

# The last count of a build, the last step of apt, and every line in the log.
printf '%s\n' "-- Configuring done" "[1/3] Building CXX object a/b.cc.o" "[3/3] Linking bin/x" |
  "$root/deploy/show_progress.sh" "$work/log" >"$work/shown"
grep -q '\[3/3\] x' "$work/shown" || fail "no count of the build: $(cat "$work/shown")"
[[ $(wc -l <"$work/log") == 3 ]] || fail "the log is not complete: $(cat "$work/log")"
echo "pmstatus:gcc:45.3:Unpacking gcc" | "$root/deploy/show_progress.sh" "$work/log" >"$work/shown"
grep -q '45 % Unpacking gcc' "$work/shown" || fail "no step of apt: $(cat "$work/shown")"

# A silent input still gives lines: this waits for two of them, and for nothing else.
mkfifo "$work/silent" "$work/lines"
"$root/deploy/show_progress.sh" "$work/log" 1 <"$work/silent" >"$work/lines" &
feeder=$!
exec 4>"$work/silent" 3<"$work/lines"
read -r _ <&3 && read -r _ <&3 || fail "silent while its input is silent"
exec 4>&-
cat <&3 >/dev/null
wait "$feeder"
feeder=

# The scripts parse, and the quickstart's help and usage errors.
for script in "$root"/deploy/*.sh "$root"/tests/*.sh; do bash -n "$script" || fail "$script does not parse"; done
"$root/deploy/quickstart.sh" --help | grep -q -- --once || fail "--help does not name --once"
status=0
"$root/deploy/quickstart.sh" --no-such 2>/dev/null || status=$?
[[ $status == 2 ]] || fail "an unknown argument gives exit $status, not 2"

mkdir -p "$work/stub" "$work/tree/build/release"
ln -s "$bin" "$work/tree/build/release/bin"
touch "$work/tree/build/release/build.ninja"
cp -r "$root/deploy" "$work/tree/"
printf '#!/bin/sh\necho "[1/1] Linking bin/sigserve"\n' >"$work/stub/cmake"
printf '#!/bin/sh\nexit 0\n' >"$work/tree/deploy/install_packages.sh"
chmod +x "$work/stub/cmake"
PATH=$work/stub:$PATH "$work/tree/deploy/quickstart.sh" --once >"$work/output" 2>&1 ||
  { cat "$work/output" >&2; fail "quickstart.sh --once failed"; }
for text in "minutes" "[1/1] sigserve" "next: predict" "Stopped."; do
  grep -qF "$text" "$work/output" || { cat "$work/output" >&2; fail "the output lacks '$text'"; }
done
accuracy() { sed -n "s/.*by breast_cancer version $1, .*accuracy \([0-9.]*[0-9]\).*/\1/p" "$work/output" | head -n 1; }
echo "held-out accuracy: version 1 $(accuracy 1), version 2 $(accuracy 2)"
awk -v first="$(accuracy 1)" -v second="$(accuracy 2)" 'BEGIN { exit !(first > 0 && second >= first) }' ||
  { cat "$work/output" >&2; fail "version 2 is worse than version 1"; }
