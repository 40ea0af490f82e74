// The models this server holds: loads them from the repository, answers which version serves a
// request, and swaps versions without disturbing requests in flight. Thread-safe: Find() takes a
// shared lock for a map lookup and never waits for a load; loads run on the caller of Reload(), one
// at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/repository/repository.h"
#include "server/registry/servable.h"

namespace sigserve {

enum class VersionState { kLoading, kReady, kFailed };

struct VersionStatus {
  std::string model;
  int64_t version = 0;
  VersionState state = VersionState::kLoading;
  // Why it failed; of a ready one, why it is not what the repository has now (a broken
  // config.pbtxt, changed files that do not load).
  std::string reason;
};

/// Which version of which model: a number, a label, or neither. Labels are the config's
/// version_labels; "stable" and "latest", unless the config says otherwise, mean the newest ready
/// version of those that version_policy serves. Neither means "stable".
struct ModelQuery {
  absl::string_view model = "";
  std::optional<int64_t> version = std::nullopt;
  absl::string_view label = "";
};

class ModelRegistry {
 public:
  /// Called after every change of a model's readiness: true while at least one version is ready.
  /// On the thread that reloads; it may read the registry, but not reload or unload.
  using ReadinessListener = std::function<void(const std::string& model, bool ready)>;
  /// Called when a model, or a version of it, could not be loaded or brought up to date; what
  /// served before still serves. On the thread that reloads.
  using LoadFailureListener = std::function<void(const std::string& model)>;

  /// All pointers must outlive the registry.
  static std::unique_ptr<ModelRegistry> Create(Repository* repository, FileSystem* files,
                                               const Clock* clock, ReadinessListener listener,
                                               LoadFailureListener on_load_failure = nullptr);
  virtual ~ModelRegistry() = default;

  /// Scans the repository and brings what is loaded in line with it: new versions that the policy
  /// asks for are loaded, others are unloaded once their last request is answered, and those whose
  /// files (model, config.pbtxt, labels) have changed are loaded again. A version that fails keeps
  /// its reason and harms no other; what served goes on, also while a directory cannot be read.
  /// Errors only if the repository itself cannot be read.
  virtual absl::Status ReloadAll() = 0;
  /// The same for one model. NOT_FOUND when the repository has no such model; the load error of the
  /// newest wanted version if it failed; else what is wrong with the config.
  virtual absl::Status Reload(absl::string_view model) = 0;
  /// Reload() on a client's request: also reads the files' contents, so that one overwritten
  /// with the same size and times is loaded, too.
  virtual absl::Status Load(absl::string_view model) { return Reload(model); }
  /// Unloads all versions of a model until Reload() of this model: ReloadAll() leaves it alone.
  /// Its versions stay listed as failed with the reason "unloaded". NOT_FOUND when it is not known.
  virtual absl::Status Unload(absl::string_view model) = 0;
  /// Whether Unload() took it out and no Reload() has brought it back since.
  virtual bool UnloadedByHand(absl::string_view model) const = 0;

  /// NOT_FOUND (unknown model, version or label: says what exists), UNAVAILABLE (known, but not
  /// ready: says why).
  virtual absl::StatusOr<ServableHandle> Find(const ModelQuery& query) const = 0;

  /// Every known version, by name, newest version first. A model without versions is one entry:
  /// version 0, failed, with the reason; so with Versions().
  virtual std::vector<VersionStatus> List() const = 0;
  /// Entries of the repository that are no models, by name, as the last ReloadAll() found them.
  virtual std::vector<IgnoredEntry> Ignored() const { return {}; }
  /// Ready and failed versions of one model, newest first; empty when unknown.
  virtual std::vector<VersionStatus> Versions(absl::string_view model) const = 0;
};

}  // namespace sigserve
