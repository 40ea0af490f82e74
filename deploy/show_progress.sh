#!/bin/bash
# show_progress.sh LOG: copies standard input to LOG and shows how far it is: ninja's "[n/N] ..." and apt's status lines
# ("dlstatus:...", "pmstatus:..."), on a terminal in one line that is rewritten, elsewhere a line every five seconds.
set -euo pipefail
log=$1
shown=-5
last=
show() {
  if [[ -t 1 ]]; then printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$last"; else echo "$last"; fi
  shown=$SECONDS
}
every=5
[[ ! -t 1 ]] || every=0
while IFS= read -r line; do
  printf '%s\n' "$line" >>"$log"
  case $line in
    '['*/*']'*) last="   ${line%%]*}] ${line##*/}" ;;
    dlstatus:* | pmstatus:*)
      IFS=: read -r _ _ percent what <<<"$line"
      last="   ${percent%%.*} % $what" ;;
    *) continue ;;
  esac
  ((SECONDS - shown < every)) || show
done
[[ -z $last ]] || { show; [[ ! -t 1 ]] || echo; }
