#include "model/repository/repository.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr size_t kMaxModelName = 128;
constexpr size_t kMaxLogged = 10000;  // a bound, not a promise: beyond it lines repeat
constexpr absl::string_view kTemporary = ".tmp-";

std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::Utf8SafeCEscape(name.substr(0, 200)), "'");
}

bool AllDigits(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), absl::ascii_isdigit);
}

/// The version a name stands for, or why it stands for none.
struct VersionName {
  int64_t version = 0;
  absl::string_view problem;
};

VersionName ParseVersion(absl::string_view name) {
  VersionName parsed;
  if (!AllDigits(name)) {
    parsed.problem = "not a decimal number";
  } else if (name == "0") {
    parsed.problem = "versions start at 1";
  } else if (name[0] == '0') {
    parsed.problem = "leading zero";
  } else if (!absl::SimpleAtoi(name, &parsed.version)) {
    parsed.problem = "over 2^63 - 1";
  }
  return parsed;
}

constexpr absl::string_view kNoModel = "no version directories and no config.pbtxt";

bool IsModel(const ModelEntry& entry) {
  return entry.has_config || !entry.versions.empty() || entry.has_version_like;
}

absl::string_view WhyNoDirectory(const DirectoryEntry& entry) {
  if (entry.is_regular_file) return "a file, not a directory";
  return entry.is_link ? "a symbolic link that leads to no directory" : "not a directory";
}

bool IsTemporary(absl::string_view name) {
  return absl::StartsWith(name, kTemporary) && AllDigits(name.substr(kTemporary.size()));
}

absl::Status CheckFiles(absl::Span<const NewFile> files) {
  if (files.empty()) return absl::InvalidArgumentError("a version needs at least one file");
  for (const NewFile& file : files) {
    if (file.name.empty() || file.name[0] == '.' ||
        file.name.find_first_of(absl::string_view("/\0", 2).data(), 0, 2) != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("NAME: ", Quoted(file.name), " is no file name for a version"));
    }
  }
  return absl::OkStatus();
}

/// Why a Publish failed, and that what it wrote is still there if that is so.
absl::Status Failed(const absl::Status& status, const absl::Status& undo) {
  if (undo.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "; taking it back failed: ", undo.message()));
}

}  // namespace

/// Everything a Publish may have to take back. Empty paths: not there.
struct Repository::Staged {
  std::string temporary;  // the directory that is being written
  std::string target;     // what it is to be renamed to
  std::string parent;     // the directory of both
  std::string config_temporary, config;
  bool renamed = false;
  bool config_renamed = false;
};

Repository::Repository(FileSystem* files, std::string root)
    : files_(files), root_(std::move(root)) {}

std::string Repository::ModelDirectory(absl::string_view model) const {
  return absl::StrCat(root_, "/", model);
}

std::string Repository::VersionDirectory(absl::string_view model, int64_t version) const {
  return absl::StrCat(root_, "/", model, "/", version);
}

absl::Status Repository::CheckModelName(absl::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  };
  if (name.empty()) return absl::InvalidArgumentError("NAME: the model name is empty");
  if (name.size() > kMaxModelName) {
    return absl::InvalidArgumentError(absl::StrCat("NAME: the model name has ", name.size(),
                                                   " characters; the limit is ", kMaxModelName));
  }
  if (name[0] == '.' || name[0] == '-' || !std::all_of(name.begin(), name.end(), allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("NAME: ", Quoted(name),
                     " is no model name: letters, digits, '_', '-' and '.', not starting with '.' "
                     "or '-'"));
  }
  return absl::OkStatus();
}

void Repository::LogOnce(const std::string& line) const {
  {
    absl::MutexLock lock(&seen_mutex_);
    if (logged_.contains(line)) return;
    if (logged_.size() < kMaxLogged) logged_.insert(line);
  }
  SIGSERVE_LOG(kWarning, line);
}

absl::Status Repository::WithoutRoot(const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrReplaceAll(status.message(), {{absl::StrCat(root_, "/"), ""},
                                                             {root_, "the repository"}}));
}

void Repository::SawVersion(absl::string_view model, int64_t version) const {
  absl::MutexLock lock(&seen_mutex_);
  int64_t& highest = highest_[std::string(model)];
  highest = std::max(highest, version);
}

// A root that is not there (a mount that went away) must not read as "no such model".
absl::StatusOr<std::vector<DirectoryEntry>> Repository::ListRoot() const {
  absl::StatusOr<std::vector<DirectoryEntry>> entries = files_->List(root_);
  if (absl::IsNotFound(entries.status())) {
    return absl::UnavailableError(
        absl::StrCat("the model repository is missing: ", entries.status().message()));
  }
  return entries;
}

absl::StatusOr<RepositoryScan> Repository::Scan() const {
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, ListRoot());
  RepositoryScan scan;
  const auto ignore = [&](absl::string_view name, absl::string_view reason) {
    LogOnce(absl::StrCat("ignored ", Quoted(name), " in ", root_, ": ", reason));
    scan.ignored.push_back({std::string(name), std::string(reason)});
  };
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.empty() || entry.name[0] == '.' || entry.is_regular_file) continue;
    const absl::Status name = CheckModelName(entry.name);
    if (!name.ok() || !entry.is_directory) {
      ignore(entry.name, !name.ok() ? name.message() : WhyNoDirectory(entry));
      continue;
    }
    absl::StatusOr<ModelEntry> model = ScanListed(entry.name);
    if (absl::IsNotFound(model.status())) continue;  // removed meanwhile
    if (!model.ok()) {
      // One unreadable directory must not hide the other models, nor pass for a removed one.
      ModelEntry unreadable;
      unreadable.name = entry.name;
      unreadable.problem = WithoutRoot(model.status());
      scan.models.push_back(std::move(unreadable));
    } else if (!IsModel(*model)) {
      ignore(entry.name, kNoModel);
    } else {
      scan.models.push_back(*std::move(model));
    }
  }
  return scan;
}

absl::StatusOr<ModelEntry> Repository::ScanModel(absl::string_view model) const {
  SIGSERVE_RETURN_IF_ERROR(CheckModelName(model));
  SIGSERVE_ASSIGN_OR_RETURN(const bool exists, IsModelDirectory(model));
  if (!exists) {
    return absl::NotFoundError(absl::StrCat("the repository has no model ", Quoted(model)));
  }
  SIGSERVE_ASSIGN_OR_RETURN(ModelEntry entry, ScanListed(model));
  if (!IsModel(entry)) {
    return absl::NotFoundError(absl::StrCat("the repository has no model ", Quoted(model),
                                            ": its directory has ", kNoModel));
  }
  return entry;
}

absl::StatusOr<bool> Repository::IsModelDirectory(absl::string_view model) const {
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, ListRoot());
  return std::any_of(entries.begin(), entries.end(), [model](const DirectoryEntry& entry) {
    return entry.is_directory && entry.name == model;
  });
}

absl::StatusOr<ModelEntry> Repository::ScanListed(absl::string_view model) const {
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries,
                            files_->List(ModelDirectory(model)));
  ModelEntry result;
  result.name = std::string(model);
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.empty() || entry.name[0] == '.') continue;
    if (entry.name == kConfigFile) {
      result.has_config = !entry.is_directory;
      continue;
    }
    const VersionName parsed = ParseVersion(entry.name);
    // A plain file is meant as a version only if its name says so.
    if (entry.is_regular_file && !AllDigits(entry.name)) continue;
    const absl::string_view problem = !parsed.problem.empty() ? parsed.problem
                                      : entry.is_directory    ? absl::string_view()
                                                              : WhyNoDirectory(entry);
    if (parsed.version > 0) SawVersion(model, parsed.version);
    if (problem.empty()) {
      result.versions.push_back(parsed.version);
    } else {
      result.has_version_like |= AllDigits(entry.name);
      result.ignored.push_back(absl::StrCat(Quoted(entry.name), ": ", problem));
    }
  }
  std::sort(result.versions.begin(), result.versions.end());
  if (IsModel(result)) {
    for (const std::string& ignored : result.ignored) {
      LogOnce(absl::StrCat("model '", model, "': ignored ", ignored));
    }
  }
  return result;
}

absl::StatusOr<int64_t> Repository::NextVersion(absl::string_view model) const {
  absl::MutexLock lock(&seen_mutex_);
  const auto found = highest_.find(model);
  const int64_t highest = found == highest_.end() ? 0 : found->second;
  if (highest == std::numeric_limits<int64_t>::max()) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", model, "' has version ", highest, "; there is no number above it"));
  }
  return highest + 1;
}

std::string Repository::TemporaryIn(const std::string& directory) {
  return absl::StrCat(directory, "/", kTemporary, ++temporaries_);
}

absl::StatusOr<int64_t> Repository::Publish(absl::string_view model,
                                            absl::Span<const NewFile> files,
                                            absl::string_view config) {
  SIGSERVE_RETURN_IF_ERROR(CheckModelName(model));
  SIGSERVE_RETURN_IF_ERROR(CheckFiles(files));
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<bool> exists = IsModelDirectory(model);
  absl::StatusOr<int64_t> version = !exists.ok() ? absl::StatusOr<int64_t>(exists.status())
                                    : *exists    ? PublishVersion(model, files, config)
                                                 : PublishNewModel(model, files, config);
  if (version.ok()) return version;
  return Annotate(WithoutRoot(version.status()),
                  absl::StrCat(absl::IsResourceExhausted(version.status()) ? "DISK_FULL: " : "",
                               "publishing a version of model '", model, "'"));
}

absl::Status Repository::WriteVersion(const std::string& directory,
                                      absl::Span<const NewFile> files) {
  SIGSERVE_RETURN_IF_ERROR(files_->MakeDirectories(directory));
  for (const NewFile& file : files) {
    SIGSERVE_RETURN_IF_ERROR(
        files_->WriteFile(absl::StrCat(directory, "/", file.name), file.contents));
  }
  return files_->SyncDirectory(directory);
}

// A new model appears whole, config and version together, by one rename in the root.
absl::StatusOr<int64_t> Repository::PublishNewModel(absl::string_view model,
                                                    absl::Span<const NewFile> files,
                                                    absl::string_view config) {
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t version, NextVersion(model));
  Staged staged;
  staged.parent = root_;
  staged.temporary = TemporaryIn(root_);
  staged.target = ModelDirectory(model);
  const auto write = [&]() -> absl::Status {
    SIGSERVE_RETURN_IF_ERROR(files_->RemoveAll(staged.temporary));
    SIGSERVE_RETURN_IF_ERROR(WriteVersion(absl::StrCat(staged.temporary, "/", version), files));
    if (!config.empty()) {
      SIGSERVE_RETURN_IF_ERROR(
          files_->WriteFile(absl::StrCat(staged.temporary, "/", kConfigFile), config));
    }
    SIGSERVE_RETURN_IF_ERROR(files_->SyncDirectory(staged.temporary));
    SawVersion(model, version);
    return PutInPlace(&staged);
  };
  const absl::Status status = write();
  if (status.ok()) return version;
  return Failed(status, Undo(staged));
}

absl::StatusOr<int64_t> Repository::PublishVersion(absl::string_view model,
                                                   absl::Span<const NewFile> files,
                                                   absl::string_view config) {
  SIGSERVE_ASSIGN_OR_RETURN(const ModelEntry entry, ScanListed(model));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t version, NextVersion(model));
  Staged staged;
  staged.parent = ModelDirectory(model);
  staged.temporary = TemporaryIn(staged.parent);
  staged.target = VersionDirectory(model, version);
  if (!config.empty() && !entry.has_config) {
    staged.config_temporary = TemporaryIn(staged.parent);
    staged.config = absl::StrCat(staged.parent, "/", kConfigFile);
  }
  const auto write = [&]() -> absl::Status {
    SIGSERVE_RETURN_IF_ERROR(files_->RemoveAll(staged.temporary));
    SIGSERVE_RETURN_IF_ERROR(WriteVersion(staged.temporary, files));
    if (!staged.config.empty()) {
      SIGSERVE_RETURN_IF_ERROR(files_->WriteFile(staged.config_temporary, config));
    }
    SawVersion(model, version);
    return PutInPlace(&staged);
  };
  const absl::Status status = write();
  if (status.ok()) return version;
  return Failed(status, Undo(staged));
}

absl::Status Repository::PutInPlace(Staged* staged) {
  if (!staged->config.empty()) {
    SIGSERVE_RETURN_IF_ERROR(files_->Rename(staged->config_temporary, staged->config));
    staged->config_renamed = true;
    // A crash must not keep the version and lose its config.
    SIGSERVE_RETURN_IF_ERROR(files_->SyncDirectory(staged->parent));
  }
  SIGSERVE_RETURN_IF_ERROR(files_->Rename(staged->temporary, staged->target));
  staged->renamed = true;
  return files_->SyncDirectory(staged->parent);
}

// Takes away what a failed Publish wrote.
absl::Status Repository::Undo(const Staged& staged) {
  absl::Status status;
  // Renamed back first: a reader sees all of a version or nothing.
  if (staged.renamed) status.Update(files_->Rename(staged.target, staged.temporary));
  status.Update(files_->RemoveAll(staged.temporary));
  if (!staged.config_temporary.empty()) status.Update(files_->RemoveAll(staged.config_temporary));
  if (staged.config_renamed) status.Update(files_->RemoveAll(staged.config));
  return status;
}

absl::Status Repository::RemoveLeftovers() {
  absl::MutexLock lock(&mutex_);
  SIGSERVE_ASSIGN_OR_RETURN(const RepositoryScan scan, Scan());
  std::vector<std::string> directories = {root_};
  for (const ModelEntry& model : scan.models) {
    if (model.problem.ok()) directories.push_back(ModelDirectory(model.name));
  }
  for (const std::string& directory : directories) {
    SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, files_->List(directory));
    for (const DirectoryEntry& entry : entries) {
      if (!IsTemporary(entry.name)) continue;
      const std::string path = absl::StrCat(directory, "/", entry.name);
      SIGSERVE_LOG(kInfo, "removing what an interrupted publish left: ", path);
      SIGSERVE_RETURN_IF_ERROR(files_->RemoveAll(path));
    }
  }
  return absl::OkStatus();
}

}  // namespace sigserve
