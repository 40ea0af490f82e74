#include "model/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/aligned_buffer.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

absl::Status SystemError(absl::string_view action, const std::string& path, int error) {
  const std::string text =
      absl::StrCat(action, " '", path, "': ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  /// Closes now; the result matters after writing.
  int Close() { return close(Release()); }
  /// The caller closes it.
  int Release() { return std::exchange(fd_, -1); }
  void Swap(FileDescriptor& other) { std::swap(fd_, other.fd_); }

 private:
  int fd_;
};

class PosixFile final : public RandomAccessFile {
 public:
  PosixFile(int fd, int64_t size, std::string path)
      : fd_(fd), size_(size), path_(std::move(path)) {}

  int64_t size() const override { return size_; }

  absl::Status ReadAt(int64_t offset, absl::Span<char> out) const override {
    while (!out.empty()) {
      const ssize_t got = pread(fd_.get(), out.data(), out.size(), offset);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError("cannot read", path_, errno);
      if (got == 0) {
        return absl::DataLossError(absl::StrCat("'", path_, "' ends before byte ", offset));
      }
      offset += got;
      out.remove_prefix(static_cast<size_t>(got));
    }
    return absl::OkStatus();
  }

 private:
  const FileDescriptor fd_;
  const int64_t size_;
  const std::string path_;
};

}  // namespace

absl::StatusOr<std::string> PosixFileSystem::ReadFile(const std::string& path, int64_t max_bytes) {
  // O_NONBLOCK: opening a FIFO must not hang; it means nothing for regular files.
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return SystemError("cannot open", path, errno);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return SystemError("cannot stat", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a regular file"));
  }
  if (info.st_size > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' has ", info.st_size, " bytes; the limit is ", max_bytes));
  }
  std::string contents;
  contents.reserve(static_cast<size_t>(info.st_size));
  PreferHugePages(contents.data(), contents.capacity());
  contents.resize(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < contents.size()) {
    const ssize_t got = read(fd.get(), contents.data() + done, contents.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("cannot read", path, errno);
    if (got == 0) break;  // truncated while being read: the parser will say what is missing
    done += static_cast<size_t>(got);
  }
  contents.resize(done);
  return contents;
}

absl::StatusOr<FoundWithin> PosixFileSystem::OpenWithin(const std::string& directory,
                                                        const std::string& relative) {
  using Kind = FoundWithin::Kind;
  const std::string path = absl::StrCat(directory, "/", relative);
  FileDescriptor at(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at.ok()) return SystemError("cannot open", directory, errno);
  const std::vector<std::string> names = absl::StrSplit(relative, '/');
  struct stat info;
  // One name at a time, each in the directory that the last step has opened: renaming anything on
  // the way cannot lead elsewhere.
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    FileDescriptor next(openat(at.get(), names[i].c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next.ok() && errno == ENOENT) return FoundWithin{};
    if (!next.ok() || fstat(next.get(), &info) != 0) return SystemError("cannot open", path, errno);
    if (S_ISLNK(info.st_mode)) return FoundWithin{Kind::kLink, nullptr};
    if (!S_ISDIR(info.st_mode)) return FoundWithin{};
    at.Swap(next);
  }
  // O_NONBLOCK: opening a FIFO must not hang.
  FileDescriptor fd(openat(at.get(), names.back().c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.ok()) {
    if (errno == ENOENT) return FoundWithin{};
    if (errno == ELOOP) return FoundWithin{Kind::kLink, nullptr};
    if (errno == ENXIO) return FoundWithin{Kind::kOther, nullptr};  // a socket
    return SystemError("cannot open", path, errno);
  }
  if (fstat(fd.get(), &info) != 0) return SystemError("cannot stat", path, errno);
  if (!S_ISREG(info.st_mode)) return FoundWithin{Kind::kOther, nullptr};
  if (info.st_nlink > 1) return FoundWithin{Kind::kLink, nullptr};
  return FoundWithin{Kind::kFile, std::make_unique<PosixFile>(fd.Release(), info.st_size, path)};
}

absl::StatusOr<FileStamp> PosixFileSystem::Stat(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return SystemError("cannot stat", path, errno);
  constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
  return FileStamp{
      .bytes = info.st_size,
      .modified_ns = info.st_mtim.tv_sec * kNanosecondsPerSecond + info.st_mtim.tv_nsec,
      .changed_ns = info.st_ctim.tv_sec * kNanosecondsPerSecond + info.st_ctim.tv_nsec,
      .inode = info.st_ino};
}

absl::Status PosixFileSystem::WriteFile(const std::string& path, absl::string_view contents) {
  FileDescriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.ok()) return SystemError("cannot create", path, errno);
  while (!contents.empty()) {
    const ssize_t put = write(fd.get(), contents.data(), contents.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("cannot write", path, errno);
    contents.remove_prefix(static_cast<size_t>(put));
  }
  if (fsync(fd.get()) != 0) return SystemError("cannot sync", path, errno);
  if (fd.Close() != 0) return SystemError("cannot close", path, errno);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return SystemError("cannot rename to", to, errno);
  }
  return absl::OkStatus();
}

absl::Status PosixFileSystem::MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return SystemError("cannot create directory", path, error.value());
  return absl::OkStatus();
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& path) {
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return SystemError("cannot open", path, errno);
  if (fsync(fd.get()) != 0) return SystemError("cannot sync", path, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DirectoryEntry>> PosixFileSystem::List(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator it(path, error);
  if (error) return SystemError("cannot list", path, error.value());
  std::vector<DirectoryEntry> entries;
  for (const std::filesystem::directory_iterator end; it != end; it.increment(error)) {
    std::error_code gone;  // an entry that vanished meanwhile is neither file nor directory
    const std::filesystem::file_status status = it->status(gone);
    entries.push_back({it->path().filename().string(), std::filesystem::is_directory(status),
                       std::filesystem::is_regular_file(status), it->is_symlink(gone)});
    if (error) break;
  }
  if (error) return SystemError("cannot list", path, error.value());
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

absl::Status PosixFileSystem::RemoveAll(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return SystemError("cannot remove", path, error.value());
  return absl::OkStatus();
}

}  // namespace sigserve
