#!/bin/bash
# show_progress.sh LOG [SECONDS]: copies standard input to LOG and shows how far it is: ninja's "[n/N] ..." and apt's status lines
# ("dlstatus:...", "pmstatus:..."). On a terminal it rewrites one line, elsewhere it writes a line every SECONDS (5), also while
# its input is silent (a long compile).
set -euo pipefail
log=$1
every=${2:-5}
[[ ! -t 1 ]] || every=1
shown=-$every
last="   working"
show() {
  local text="$last (${SECONDS} s)"
  if [[ -t 1 ]]; then printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$text"; else echo "$text"; fi
  shown=$SECONDS
}
line=
while :; do
  part=
  status=0
  IFS= read -r -t "$every" part || status=$?
  line+=$part
  if ((status > 128)); then # a timeout; `part` may be the start of a line
    show
    continue
  fi
  ((status == 0)) || [[ -n $line ]] || break
  printf '%s\n' "$line" >>"$log"
  case $line in
    '['*/*']'*) last="   ${line%%]*}] ${line##*/}" ;;
    dlstatus:* | pmstatus:*)
      IFS=: read -r _ _ percent what <<<"$line"
      last="   ${percent%%.*} % $what" ;;
  esac
  line=
  ((SECONDS - shown < every)) || show
done
show
[[ ! -t 1 ]] || echo
