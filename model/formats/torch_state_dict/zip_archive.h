// For the sources of this folder: the members of a ZIP archive as torch.save writes it. Members are
// stored, not compressed, so a member is a piece of the file's own bytes and nothing is unpacked.
//
// Stricter than ZIP asks: members, their headers, the central directory and the end records cover
// the file without gap or overlap, and both headers of a member agree. What a reader could take in
// two ways is refused. Immutable; borrows the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sigserve {

struct ZipMember {
  std::string name;
  absl::string_view contents;  // as stored
  uint16_t method = 0;         // 0 = stored
  uint16_t flags = 0;
  uint32_t crc = 0;
};

class ZipArchive {
 public:
  /// INVALID_ARGUMENT: ZIP_STRUCTURE, ZIP_MISMATCH, ZIP_OVERLAP, ZIP_NAME; RESOURCE_EXHAUSTED:
  /// ZIP_ENTRY_LIMIT. Contents are not looked at yet.
  static absl::StatusOr<ZipArchive> Open(absl::string_view bytes);

  const std::vector<ZipMember>& members() const { return members_; }
  /// Null when there is none.
  const ZipMember* find(absl::string_view name) const;
  /// Every member is stored plainly and intact: UNIMPLEMENTED ZIP_METHOD, INVALID_ARGUMENT ZIP_CRC.
  absl::Status CheckContents() const;

 private:
  std::vector<ZipMember> members_;
  absl::flat_hash_map<std::string, size_t> by_name_;
};

}  // namespace sigserve
