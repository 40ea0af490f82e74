#include "tests/support/fake_file_system.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve::testing_support {
namespace {

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

absl::Status NotFound(const std::string& path) {
  return absl::NotFoundError(absl::StrCat("'", path, "' does not exist"));
}

class FakeFile final : public RandomAccessFile {
 public:
  explicit FakeFile(std::string contents) : contents_(std::move(contents)) {}
  int64_t size() const override { return static_cast<int64_t>(contents_.size()); }
  absl::Status ReadAt(int64_t offset, absl::Span<char> out) const override {
    const size_t copied = contents_.copy(out.data(), out.size(), static_cast<size_t>(offset));
    return copied == out.size() ? absl::OkStatus() : absl::DataLossError("shorter than that");
  }

 private:
  const std::string contents_;
};

}  // namespace

void FakeFileSystem::FailAt(int change, absl::Status error, Fault fault) {
  absl::MutexLock lock(&mutex_);
  changes_ = 0;
  fail_at_ = change;
  error_ = std::move(error);
  fault_ = fault;
}

void FakeFileSystem::FailReads(const std::string& path, absl::Status error) {
  absl::MutexLock lock(&mutex_);
  unreadable_ = path;
  read_error_ = std::move(error);
}

absl::Status FakeFileSystem::ReadError(const std::string& path) const {
  const bool fails = path == unreadable_ || absl::StartsWith(path, unreadable_ + "/");
  return fails ? read_error_ : absl::OkStatus();
}

int FakeFileSystem::changes() const {
  absl::MutexLock lock(&mutex_);
  return changes_;
}

std::map<std::string, std::string> FakeFileSystem::Tree() const {
  absl::MutexLock lock(&mutex_);
  std::map<std::string, std::string> tree;
  for (const auto& [path, entry] : entries_) {
    tree[entry.kind == Kind::kDirectory ? path + "/" : path] = entry.contents;
  }
  return tree;
}

std::vector<std::string> FakeFileSystem::Journal() const {
  absl::MutexLock lock(&mutex_);
  return journal_;
}

void FakeFileSystem::AddLink(const std::string& path, const std::string& target) {
  absl::MutexLock lock(&mutex_);
  entries_[path] = {Kind::kLink, target, 0};
}

void FakeFileSystem::OverwriteUnseen(const std::string& path, const std::string& contents) {
  absl::MutexLock lock(&mutex_);
  entries_.at(path).contents = contents;
}

std::string FakeFileSystem::Resolve(std::string path) const {
  constexpr int kMaxLinks = 8;
  for (int links = 0; links < kMaxLinks; ++links) {
    bool found = false;
    for (const auto& [link, entry] : entries_) {
      if (entry.kind != Kind::kLink || (path != link && !absl::StartsWith(path, link + "/")))
        continue;
      path = entry.contents + path.substr(link.size());
      found = true;
      break;
    }
    if (!found) break;
  }
  return path;
}

absl::Status FakeFileSystem::Change(std::string what) {
  journal_.push_back(std::move(what));
  ++changes_;
  const bool fails = fail_at_ > 0 && (changes_ == fail_at_ ||
                                      (changes_ > fail_at_ && fault_ == Fault::kFromThenOn));
  return fails ? error_ : absl::OkStatus();
}

bool FakeFileSystem::IsDirectory(const std::string& path) const {
  const auto found = entries_.find(path);
  return found != entries_.end() && found->second.kind == Kind::kDirectory;
}

absl::StatusOr<std::string> FakeFileSystem::ReadFile(const std::string& path, int64_t max_bytes) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(ReadError(path));
  const auto found = entries_.find(Resolve(path));
  if (found == entries_.end()) return NotFound(path);
  if (found->second.kind != Kind::kFile ||
      static_cast<int64_t>(found->second.contents.size()) > max_bytes) {
    return absl::InvalidArgumentError(path);
  }
  return found->second.contents;
}

absl::StatusOr<FoundWithin> FakeFileSystem::OpenWithin(const std::string& directory,
                                                       const std::string& relative) {
  absl::MutexLock lock(&mutex_);
  const std::string path = absl::StrCat(Resolve(directory), "/", relative);
  SIGSERVE_RETURN_IF_ERROR(ReadError(path));
  const auto found = entries_.find(path);
  if (found == entries_.end()) return FoundWithin{};
  switch (found->second.kind) {
    case Kind::kFile:
      return FoundWithin{FoundWithin::Kind::kFile,
                         std::make_unique<FakeFile>(found->second.contents)};
    case Kind::kDirectory:
      return FoundWithin{FoundWithin::Kind::kOther, nullptr};
    case Kind::kLink:
      return FoundWithin{FoundWithin::Kind::kLink, nullptr};
  }
  return FoundWithin{};
}

absl::StatusOr<FileStamp> FakeFileSystem::Stat(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(ReadError(path));
  const auto found = entries_.find(Resolve(path));
  if (found == entries_.end() || found->second.kind == Kind::kLink) return NotFound(path);
  return FileStamp{.bytes = static_cast<int64_t>(found->second.contents.size()),
                   .modified_ns = found->second.written};
}

absl::Status FakeFileSystem::WriteFile(const std::string& path, absl::string_view contents) {
  absl::MutexLock lock(&mutex_);
  const absl::Status status = Change("write " + path);
  if (!IsDirectory(ParentOf(path))) return NotFound(path);
  entries_[path] = {Kind::kFile,
                    std::string(status.ok() ? contents : contents.substr(0, contents.size() / 2)),
                    static_cast<int64_t>(journal_.size())};
  return status;
}

absl::Status FakeFileSystem::Rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(Change(absl::StrCat("rename ", from, " -> ", to)));
  if (!entries_.contains(from)) return NotFound(from);
  if (!IsDirectory(ParentOf(to))) return NotFound(to);
  const auto below = entries_.upper_bound(to + "/");
  if (entries_.contains(to) &&
      (IsDirectory(to) != IsDirectory(from) ||
       (below != entries_.end() && absl::StartsWith(below->first, to + "/")))) {
    return absl::UnavailableError(absl::StrCat("cannot rename to '", to, "'"));
  }
  std::map<std::string, Entry> moved;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->first == from || absl::StartsWith(it->first, from + "/")) {
      moved[to + it->first.substr(from.size())] = std::move(it->second);
      it = entries_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& [path, entry] : moved) entries_[path] = std::move(entry);
  return absl::OkStatus();
}

absl::Status FakeFileSystem::MakeDirectories(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(Change("mkdir " + path));
  for (size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (entries_.contains(part) && !IsDirectory(part)) return absl::UnavailableError(part);
    entries_[part].kind = Kind::kDirectory;
    if (end == std::string::npos) return absl::OkStatus();
  }
}

absl::Status FakeFileSystem::SyncDirectory(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(Change("sync " + path));
  return IsDirectory(path) ? absl::OkStatus() : NotFound(path);
}

absl::StatusOr<std::vector<DirectoryEntry>> FakeFileSystem::List(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(ReadError(path));
  const std::string directory = Resolve(path);
  if (!IsDirectory(directory)) return NotFound(path);
  std::vector<DirectoryEntry> result;
  for (const auto& [entry_path, entry] : entries_) {
    if (!absl::StartsWith(entry_path, directory + "/") || ParentOf(entry_path) != directory)
      continue;
    const auto target = entries_.find(Resolve(entry_path));
    const Kind kind = target == entries_.end() ? Kind::kLink : target->second.kind;
    result.push_back({entry_path.substr(directory.size() + 1), kind == Kind::kDirectory,
                      kind == Kind::kFile, entry.kind == Kind::kLink});
  }
  return result;
}

absl::Status FakeFileSystem::RemoveAll(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_RETURN_IF_ERROR(Change("remove " + path));
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool gone = it->first == path || absl::StartsWith(it->first, path + "/");
    it = gone ? entries_.erase(it) : std::next(it);
  }
  return absl::OkStatus();
}

}  // namespace sigserve::testing_support
