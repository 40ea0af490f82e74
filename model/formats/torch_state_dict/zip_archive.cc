#include "model/formats/torch_state_dict/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/formats/weights/named_tensors.h"

// Offsets and signatures: PKWARE's APPNOTE.TXT 6.3.10, chapter 4.3.
namespace sigserve {
namespace {

constexpr uint32_t kLocalSignature = 0x04034B50;
constexpr uint32_t kCentralSignature = 0x02014B50;
constexpr uint32_t kEndSignature = 0x06054B50;
constexpr uint32_t kEnd64Signature = 0x06064B50;
constexpr uint32_t kLocator64Signature = 0x07064B50;
constexpr uint32_t kDescriptorSignature = 0x08074B50;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCentralBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;
constexpr uint64_t kMaxEntries = 65'535;
constexpr size_t kMaxNameBytes = 512;
constexpr uint16_t kFlagEncrypted = 1;
constexpr uint16_t kFlagDescriptor = 8;
constexpr uint16_t kExtraZip64 = 1;
constexpr uint32_t kInExtra = 0xFFFFFFFF;
constexpr uint32_t kUnixFileType = 0170000;
constexpr uint32_t kUnixLink = 0120000;

template <typename T>
T Read(absl::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

struct Directory {
  uint64_t entries = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// A member as the central directory has it.
struct Central {
  absl::string_view name;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t compressed = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes) {
  if (bytes.size() < kEndBytes)
    return Malformed("ZIP_STRUCTURE", "the file is too short for an archive");
  const size_t end_at = bytes.size() - kEndBytes;
  const absl::string_view end = bytes.substr(end_at);
  if (Read<uint32_t>(end, 0) != kEndSignature || Read<uint16_t>(end, 20) != 0) {
    return Malformed(
        "ZIP_STRUCTURE",
        "the file does not end with an end record (truncated, or with something after it)");
  }
  if (Read<uint16_t>(end, 4) != 0 || Read<uint16_t>(end, 6) != 0 ||
      Read<uint16_t>(end, 8) != Read<uint16_t>(end, 10)) {
    return Malformed("ZIP_STRUCTURE", "an archive of several disks");
  }
  Directory directory;
  directory.entries = Read<uint16_t>(end, 10);
  uint64_t size = Read<uint32_t>(end, 12);
  directory.begin = Read<uint32_t>(end, 16);
  size_t directory_end = end_at;
  const bool has_locator = end_at >= kLocator64Bytes &&
                           Read<uint32_t>(bytes, end_at - kLocator64Bytes) == kLocator64Signature;
  if (has_locator) {
    const size_t locator_at = end_at - kLocator64Bytes;
    if (locator_at < kEnd64Bytes ||
        Read<uint64_t>(bytes, locator_at + 8) != locator_at - kEnd64Bytes ||
        Read<uint32_t>(bytes, locator_at - kEnd64Bytes) != kEnd64Signature) {
      return Malformed("ZIP_STRUCTURE", "the ZIP64 locator does not point at a ZIP64 end record");
    }
    directory_end = locator_at - kEnd64Bytes;
    const absl::string_view end64 = bytes.substr(directory_end, kEnd64Bytes);
    const auto agrees = [](uint64_t wide, uint64_t narrow, uint64_t see_wide) {
      return narrow == wide || narrow == see_wide;
    };
    const uint64_t entries = Read<uint64_t>(end64, 32);
    const uint64_t size64 = Read<uint64_t>(end64, 40);
    const uint64_t begin64 = Read<uint64_t>(end64, 48);
    if (Read<uint64_t>(end64, 4) != kEnd64Bytes - 12 || Read<uint64_t>(end64, 24) != entries ||
        !agrees(entries, directory.entries, 0xFFFF) || !agrees(size64, size, kInExtra) ||
        !agrees(begin64, directory.begin, kInExtra)) {
      return Malformed("ZIP_STRUCTURE",
                       "the ZIP64 end record contradicts itself or the end record");
    }
    directory.entries = entries;
    directory.begin = begin64;
    size = size64;
  }
  if (directory.entries > kMaxEntries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("ZIP_ENTRY_LIMIT: ", directory.entries, " members, at most ", kMaxEntries));
  }
  if (directory.begin > directory_end || directory_end - directory.begin != size ||
      size / kCentralBytes < directory.entries) {
    return Malformed("ZIP_STRUCTURE",
                     "the central directory does not lie where the end record says");
  }
  directory.end = directory_end;
  return directory;
}

/// The 64-bit sizes of the ZIP64 field, where the 32-bit ones refer to it.
absl::Status ReadZip64(absl::string_view extra, Central& entry) {
  if (entry.size != kInExtra && entry.compressed != kInExtra && entry.offset != kInExtra) {
    return absl::OkStatus();
  }
  while (extra.size() >= 4) {
    const uint16_t id = Read<uint16_t>(extra, 0);
    const uint16_t size = Read<uint16_t>(extra, 2);
    if (size > extra.size() - 4) break;
    absl::string_view field = extra.substr(4, size);
    extra.remove_prefix(4 + size_t{size});
    if (id != kExtraZip64) continue;
    for (uint64_t* value : {&entry.size, &entry.compressed, &entry.offset}) {
      if (*value != kInExtra) continue;
      if (field.size() < sizeof(uint64_t)) break;
      *value = Read<uint64_t>(field, 0);
      field.remove_prefix(sizeof(uint64_t));
    }
    return absl::OkStatus();
  }
  return Malformed("ZIP_STRUCTURE", absl::StrCat("member ", Printable(entry.name),
                                                 " lacks the ZIP64 sizes it refers to"));
}

absl::Status CheckMemberName(absl::string_view name, uint32_t attributes) {
  absl::string_view problem = name.size() > kMaxNameBytes ? "is longer than 512 bytes" : "";
  if (problem.empty()) problem = NameProblem(name);
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (problem.empty() && (part == "." || part == "..")) problem = "leads out of the archive";
  }
  if (problem.empty() && ((attributes >> 16) & kUnixFileType) == kUnixLink) {
    problem = "is a symbolic link";
  }
  if (problem.empty()) return absl::OkStatus();
  return Malformed("ZIP_NAME", absl::StrCat("member ", Printable(name), " ", problem));
}

absl::StatusOr<std::vector<Central>> ReadDirectory(absl::string_view bytes,
                                                   const Directory& directory) {
  std::vector<Central> entries;
  entries.reserve(directory.entries);
  absl::flat_hash_set<std::string> names;
  absl::string_view rest = bytes.substr(directory.begin, directory.end - directory.begin);
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (rest.size() < kCentralBytes || Read<uint32_t>(rest, 0) != kCentralSignature) {
      return Malformed("ZIP_STRUCTURE",
                       absl::StrCat("entry ", i, " of the central directory is none"));
    }
    const size_t name_bytes = Read<uint16_t>(rest, 28);
    const size_t extra_bytes = Read<uint16_t>(rest, 30);
    const size_t total = kCentralBytes + name_bytes + extra_bytes + Read<uint16_t>(rest, 32);
    if (total > rest.size() || Read<uint16_t>(rest, 34) != 0) {
      return Malformed("ZIP_STRUCTURE", absl::StrCat("entry ", i, " leaves the central directory"));
    }
    Central entry;
    entry.name = rest.substr(kCentralBytes, name_bytes);
    entry.flags = Read<uint16_t>(rest, 8);
    entry.method = Read<uint16_t>(rest, 10);
    entry.crc = Read<uint32_t>(rest, 16);
    entry.compressed = Read<uint32_t>(rest, 20);
    entry.size = Read<uint32_t>(rest, 24);
    entry.offset = Read<uint32_t>(rest, 42);
    SIGSERVE_RETURN_IF_ERROR(CheckMemberName(entry.name, Read<uint32_t>(rest, 38)));
    SIGSERVE_RETURN_IF_ERROR(
        ReadZip64(rest.substr(kCentralBytes + name_bytes, extra_bytes), entry));
    if (!names.insert(absl::AsciiStrToLower(entry.name)).second) {
      return Malformed("ZIP_NAME",
                       absl::StrCat("member ", Printable(entry.name), " is there twice"));
    }
    entries.push_back(entry);
    rest.remove_prefix(total);
  }
  if (!rest.empty()) {
    return Malformed("ZIP_STRUCTURE", absl::StrCat("the central directory has ", rest.size(),
                                                   " bytes after its last entry"));
  }
  return entries;
}

/// Whether `gap`, the bytes after a member's contents, is its data descriptor: with or without
/// signature, sizes of 32 or 64 bits.
bool IsDescriptor(absl::string_view gap, const Central& entry) {
  if ((gap.size() == 16 || gap.size() == 24) && Read<uint32_t>(gap, 0) == kDescriptorSignature) {
    gap.remove_prefix(4);
  }
  if (gap.size() == 12) {
    return Read<uint32_t>(gap, 0) == entry.crc && Read<uint32_t>(gap, 4) == entry.compressed &&
           Read<uint32_t>(gap, 8) == entry.size;
  }
  return gap.size() == 20 && Read<uint32_t>(gap, 0) == entry.crc &&
         Read<uint64_t>(gap, 4) == entry.compressed && Read<uint64_t>(gap, 12) == entry.size;
}

/// The member's contents, given that its local header starts at entry.offset and that the next
/// thing in the file starts at `next`.
absl::StatusOr<absl::string_view> ReadLocal(absl::string_view bytes, const Central& entry,
                                            uint64_t next) {
  const std::string what = absl::StrCat("member ", Printable(entry.name));
  const uint64_t room = next - entry.offset;
  if (room < kLocalBytes || Read<uint32_t>(bytes, entry.offset) != kLocalSignature) {
    return Malformed("ZIP_STRUCTURE",
                     absl::StrCat(what, " has no local header where it should be"));
  }
  const absl::string_view local = bytes.substr(entry.offset, room);
  const uint64_t name_bytes = Read<uint16_t>(local, 26);
  const uint64_t header_bytes = kLocalBytes + name_bytes + Read<uint16_t>(local, 28);
  if (header_bytes > room || entry.compressed > room - header_bytes) {
    return Malformed("ZIP_OVERLAP", absl::StrCat(what, " reaches into what follows it"));
  }
  const bool descriptor = (entry.flags & kFlagDescriptor) != 0;
  const auto agrees = [&](uint64_t ours, uint64_t theirs) {
    return ours == theirs || (descriptor && ours == 0) || (ours == kInExtra && theirs == kInExtra);
  };
  const absl::string_view field =
      local.substr(kLocalBytes, name_bytes) != entry.name    ? "name"
      : Read<uint16_t>(local, 6) != entry.flags              ? "flags"
      : Read<uint16_t>(local, 8) != entry.method             ? "method"
      : !agrees(Read<uint32_t>(local, 14), entry.crc)        ? "CRC"
      : !agrees(Read<uint32_t>(local, 18), entry.compressed) ? "compressed size"
      : !agrees(Read<uint32_t>(local, 22), entry.size)       ? "size"
      : entry.method == 0 && entry.compressed != entry.size  ? "stored size"
                                                             : "";
  if (!field.empty()) {
    return Malformed("ZIP_MISMATCH", absl::StrCat(what, ": its two headers differ in ", field));
  }
  const absl::string_view gap = local.substr(header_bytes + entry.compressed);
  if (descriptor ? !IsDescriptor(gap, entry) : !gap.empty()) {
    return Malformed("ZIP_STRUCTURE", absl::StrCat(what, " is followed by ", gap.size(),
                                                   " bytes that belong to nothing"));
  }
  return local.substr(header_bytes, entry.compressed);
}

}  // namespace

absl::StatusOr<ZipArchive> ZipArchive::Open(absl::string_view bytes) {
  SIGSERVE_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<Central> entries, ReadDirectory(bytes, directory));
  std::sort(entries.begin(), entries.end(),
            [](const Central& a, const Central& b) { return a.offset < b.offset; });
  ZipArchive archive;
  archive.members_.reserve(entries.size());
  if ((entries.empty() ? directory.begin : entries[0].offset) != 0) {
    return Malformed("ZIP_STRUCTURE", "the file does not start with its first member");
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    const Central& entry = entries[i];
    const uint64_t next = i + 1 < entries.size() ? entries[i + 1].offset : directory.begin;
    if (next <= entry.offset || next > directory.begin) {
      return Malformed("ZIP_OVERLAP", absl::StrCat("member ", Printable(entry.name), " starts at ",
                                                   entry.offset, ", what follows it at ", next));
    }
    SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view contents, ReadLocal(bytes, entry, next));
    archive.by_name_.emplace(entry.name, archive.members_.size());
    archive.members_.push_back(
        ZipMember{std::string(entry.name), contents, entry.method, entry.flags, entry.crc});
  }
  return archive;
}

const ZipMember* ZipArchive::find(absl::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &members_[found->second];
}

absl::Status ZipArchive::CheckContents() const {
  for (const ZipMember& member : members_) {
    if (member.method == 0 && (member.flags & kFlagEncrypted) == 0) continue;
    return absl::UnimplementedError(absl::StrCat("ZIP_METHOD: member ", Printable(member.name),
                                                 " is ",
                                                 member.method != 0 ? "compressed" : "encrypted",
                                                 "; torch.save stores members as they are"));
  }
  for (const ZipMember& member : members_) {
    const auto* data = reinterpret_cast<const Bytef*>(member.contents.data());
    if (crc32_z(crc32_z(0, nullptr, 0), data, member.contents.size()) != member.crc) {
      return Malformed("ZIP_CRC", absl::StrCat("member ", Printable(member.name),
                                               " is damaged: its CRC-32 is another"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sigserve
