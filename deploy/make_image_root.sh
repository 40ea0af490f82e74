#!/bin/bash
# make_image_root.sh DESTINATION BINARY...: a root file system with the binaries in /usr/bin, the shared libraries they need,
# those libraries' licences, and a user 65532. For the Dockerfile.
set -euo pipefail
root=$1
shift
for binary in "$@"; do
  install -D "$binary" "$root/usr/bin/$(basename "$binary")"
  strip "$root/usr/bin/$(basename "$binary")"
done

# copyright_of PACKAGE: its copyright file, or that of another package of the same source. libgcc-s1's is a link to the folder
# of gcc-12-base, and slim images drop the links below /usr/share/doc.
copyright_of() {
  local source package file
  source=$(dpkg-query -W -f='${source:Package}' "$1")
  for package in "$1" $(dpkg-query -W -f='${source:Package} ${Package}\n' | sed -n "s/^$source //p"); do
    file=/usr/share/doc/$package/copyright
    if [[ -f $file ]]; then
      echo "$file"
      return
    fi
  done
  echo "make_image_root.sh: no copyright file of package '$1' in /usr/share/doc" >&2
  return 1
}

# "libx.so => /lib/.../libx.so (0x...)" and "/lib64/ld-linux-x86-64.so.2 (0x...)".
ldd "$@" | grep -o ' /[^ ]*\|^\s*/lib[^ ]*ld-linux[^ ]*' | tr -d ' \t' | sort -u | while read -r library; do
  install -D "$(readlink -f "$library")" "$root$library"
  # dpkg knows a library by its path of before or of after the merge of /lib into /usr/lib.
  package=$({ dpkg -S "/usr$library" || dpkg -S "$library"; } 2>/dev/null | cut -d: -f1)
  copyright=$(copyright_of "$package")
  install -D -m 644 "$copyright" "$root/usr/share/doc/$package/copyright"
done
# What is within the binaries: archives and headers.
for package in libgrpc-dev libgrpc++-dev libabsl-dev libprotobuf-dev libeigen3-dev nlohmann-json3-dev; do
  copyright=$(copyright_of "$package")
  install -D -m 644 "$copyright" "$root/usr/share/doc/$package/copyright"
done
install -d "$root/etc" "$root/tmp"
chmod 1777 "$root/tmp"
install -d -o 65532 -g 65532 "$root/models"
echo 'sigserve:x:65532:65532::/:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'sigserve:x:65532:' >"$root/etc/group"
