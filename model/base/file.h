// The disk as a dependency: the few operations that loading and publishing models need.
// PosixFileSystem is the real one; tests fake it to fail a chosen call. Thread-safe. Errors carry
// the path and the system's reason: NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk or quota
// full), INVALID_ARGUMENT (not a regular file, over the limit), else UNAVAILABLE.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

struct DirectoryEntry {
  std::string name;
  // Of what a symbolic link leads to; a link to nothing, or one in a loop, is neither.
  bool is_directory = false;
  bool is_regular_file = false;
  bool is_link = false;
};

/// What tells one state of a file from another without reading it.
struct FileStamp {
  int64_t bytes = 0;
  int64_t modified_ns = 0;  // since the epoch
  int64_t changed_ns = 0;   // of the inode (ctime): no program can set it back
  uint64_t inode = 0;       // another one once the file was replaced by a rename

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// An open file. It stays the same file whatever happens to its name. Thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  /// In bytes, when it was opened.
  virtual int64_t size() const = 0;
  /// Fills `out` with the bytes from `offset` on. DATA_LOSS: the file has become shorter.
  virtual absl::Status ReadAt(int64_t offset, absl::Span<char> out) const = 0;
};

/// What OpenWithin found. `file` is null unless it is kFile.
struct FoundWithin {
  enum class Kind {
    kFile,
    kMissing,
    kLink,   // a symbolic link, as the file or as a directory on the way; or a file of two names
    kOther,  // a directory, a FIFO, a device, a socket
  };
  Kind kind = Kind::kMissing;
  std::unique_ptr<RandomAccessFile> file;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// The whole file. Refuses anything but a regular file, and files over `max_bytes` before reading
  /// them.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) = 0;
  /// Opens a regular file that lies in `directory`, or in one below it, and has no other name.
  /// `relative`: names separated by '/', none of them "..", "." or empty. Follows no links below
  /// `directory`, and cannot be made to by changing names meanwhile.
  virtual absl::StatusOr<FoundWithin> OpenWithin(const std::string& directory,
                                                 const std::string& relative) = 0;
  /// Follows symbolic links, as ReadFile does.
  virtual absl::StatusOr<FileStamp> Stat(const std::string& path) = 0;
  /// Creates or replaces a file and syncs its contents to disk. Not atomic: for that, write a
  /// second file and Rename it.
  virtual absl::Status WriteFile(const std::string& path, absl::string_view contents) = 0;
  /// Atomic within one file system; replaces a file, not a directory that has entries.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  /// Creates a directory and its missing parents; fine if it exists.
  virtual absl::Status MakeDirectories(const std::string& path) = 0;
  /// Makes renames and creations in this directory durable.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  /// Sorted by name; without "." and "..".
  virtual absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& path) = 0;
  /// A file, or a directory with all below it; fine if it does not exist. Follows no symbolic
  /// links.
  virtual absl::Status RemoveAll(const std::string& path) = 0;
};

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) override;
  absl::StatusOr<FoundWithin> OpenWithin(const std::string& directory,
                                         const std::string& relative) override;
  absl::StatusOr<FileStamp> Stat(const std::string& path) override;
  absl::Status WriteFile(const std::string& path, absl::string_view contents) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status MakeDirectories(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& path) override;
  absl::Status RemoveAll(const std::string& path) override;
};

}  // namespace sigserve
