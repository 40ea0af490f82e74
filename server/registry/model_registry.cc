#include "server/registry/model_registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "server/registry/model_loader.h"
#include "server/registry/routing.h"
#include "server/registry/version_policy.h"
#include "server/registry/warm_up.h"

namespace sigserve {
namespace {

using ModelPtr = std::shared_ptr<const ModelRecord>;

VersionRecord Failed(int64_t number, absl::Status error) {
  return {.number = number, .state = VersionState::kFailed, .error = std::move(error)};
}

bool Contains(const std::vector<int64_t>& numbers, int64_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

ModelPtr Finished(ModelRecord model) {
  std::sort(model.versions.begin(), model.versions.end(),
            [](const VersionRecord& a, const VersionRecord& b) { return a.number > b.number; });
  return std::make_shared<const ModelRecord>(std::move(model));
}

void Retire(absl::string_view name, const std::vector<int64_t>& numbers, ModelRecord* model) {
  for (const int64_t number : numbers) {
    SIGSERVE_LOG(kInfo, "model '", name, "' version ", number, " unloaded");
    model->versions.erase(
        std::remove_if(model->versions.begin(), model->versions.end(),
                       [number](const VersionRecord& version) { return version.number == number; }),
        model->versions.end());
  }
}

// A polled repository would repeat the same failure for ever.
void LogIfNew(absl::string_view name, const VersionRecord& failed, const ModelRecord& before) {
  const VersionRecord* known = FindVersion(before, failed.number);
  if (known != nullptr && known->error == failed.error) return;
  SIGSERVE_LOG(kError, "model '", name, "' version ", failed.number,
               failed.state == VersionState::kReady ? ": " : " is not ready: ", failed.reason());
}

void LogIfNew(absl::string_view name, const absl::Status& problem, const ModelRecord& before) {
  if (problem.ok() || problem == before.problem) return;
  SIGSERVE_LOG(kError, "model '", name, "': ", problem.message(),
               NewestReady(before) == nullptr ? "" : "; what served goes on");
}

class RegistryImpl : public ModelRegistry {
 public:
  RegistryImpl(Repository* repository, FileSystem* files, const Clock* clock,
               ReadinessListener listener, LoadFailureListener on_load_failure)
      : repository_(repository),
        clock_(clock),
        listener_(std::move(listener)),
        on_load_failure_(std::move(on_load_failure)),
        loader_(repository, files) {}

  absl::Status ReloadAll() override ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_) {
    absl::MutexLock loading(&load_mutex_);
    absl::StatusOr<RepositoryScan> scan = repository_->Scan();
    if (!scan.ok()) return repository_->WithoutRoot(scan.status());
    {
      absl::MutexLock lock(&mutex_);
      ignored_ = std::move(scan->ignored);
    }
    std::set<std::string> gone = Names();
    for (const ModelEntry& entry : scan->models) {
      gone.erase(entry.name);
      if (unloaded_.count(entry.name) > 0) continue;
      if (!entry.problem.ok()) {
        KeepWithProblem(entry.name, entry.problem);
        continue;
      }
      // What fails is listed with its reason; the others go on.
      BringInLine(entry, ChangeCheck::kStamps).IgnoreError();
    }
    for (const std::string& name : gone) Remove(name);
    return absl::OkStatus();
  }

  absl::Status Reload(absl::string_view model) override ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_) {
    return ReloadModel(model, ChangeCheck::kStamps);
  }
  absl::Status Load(absl::string_view model) override ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_) {
    return ReloadModel(model, ChangeCheck::kContents);
  }

  absl::Status Unload(absl::string_view model) override ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_) {
    absl::MutexLock loading(&load_mutex_);
    const ModelPtr current = Get(model);
    if (current == nullptr) return UnknownModel(model);
    auto next = std::make_shared<ModelRecord>(*current);
    for (VersionRecord& version : next->versions) {
      version = Failed(version.number, absl::UnavailableError("unloaded"));
    }
    next->unloaded_by_hand = true;
    unloaded_.insert(std::string(model));
    SIGSERVE_LOG(kInfo, "model '", model, "' unloaded");
    Replace(std::string(model), std::move(next));
    return absl::OkStatus();
  }

  bool UnloadedByHand(absl::string_view model) const override ABSL_LOCKS_EXCLUDED(mutex_) {
    const ModelPtr known = Get(model);
    return known != nullptr && known->unloaded_by_hand;
  }

  absl::StatusOr<ServableHandle> Find(const ModelQuery& query) const override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    ModelPtr model;
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto it = models_.find(query.model);
      if (it != models_.end()) model = it->second;
    }
    if (model == nullptr) return UnknownModel(query.model);
    return Select(query, *model);
  }

  std::vector<VersionStatus> List() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<VersionStatus> all;
    for (const std::string& name : Names()) {
      const std::vector<VersionStatus> versions = Versions(name);
      all.insert(all.end(), versions.begin(), versions.end());
    }
    return all;
  }

  std::vector<IgnoredEntry> Ignored() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    return ignored_;
  }

  std::vector<VersionStatus> Versions(absl::string_view name) const override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<VersionStatus> versions;
    const ModelPtr model = Get(name);
    if (model == nullptr) return versions;
    for (const VersionRecord& version : model->versions) {
      const bool config = version.state == VersionState::kReady && version.error.ok();
      versions.push_back(
          {std::string(name), version.number, version.state,
           EscapeInvalidUtf8(config ? ReadyReason(version, *model) : version.reason())});
    }
    if (versions.empty()) {
      versions.push_back(
          {std::string(name), 0, VersionState::kFailed, EscapeInvalidUtf8(WhyNoVersions(*model))});
    }
    return versions;
  }

 private:
  /// How a version's files are compared with those it was loaded from.
  enum class ChangeCheck { kStamps, kContents };

  absl::Status ReloadModel(absl::string_view model, ChangeCheck check)
      ABSL_LOCKS_EXCLUDED(load_mutex_, mutex_) {
    absl::MutexLock loading(&load_mutex_);
    absl::StatusOr<ModelEntry> entry = repository_->ScanModel(model);
    if (!entry.ok()) {
      absl::Status error = repository_->WithoutRoot(entry.status());
      if (absl::IsNotFound(error)) {
        Remove(std::string(model));
        return absl::NotFoundError(
            absl::StrCat(UnknownModel(model).message(), "; ", error.message()));
      }
      if (Get(model) != nullptr) KeepWithProblem(std::string(model), error);
      return error;
    }
    unloaded_.erase(entry->name);
    return BringInLine(*entry, check);
  }

  ModelPtr Get(absl::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    const auto it = models_.find(name);
    return it == models_.end() ? nullptr : it->second;
  }

  std::set<std::string> Names() const ABSL_LOCKS_EXCLUDED(mutex_) {
    std::set<std::string> names;
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [name, model] : models_) names.insert(name);
    return names;
  }

  absl::Status UnknownModel(absl::string_view model) const ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::set<std::string> names = Names();
    return sigserve::UnknownModel(model, {names.begin(), names.end()});
  }

  // Swaps a model in (null: takes it out) and tells the listener when its readiness changed. What
  // is swapped out is freed after the lock, or with the last request that uses it.
  void Replace(const std::string& name, ModelPtr next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const bool ready = next != nullptr && NewestReady(*next) != nullptr;
    ModelPtr previous;
    {
      absl::MutexLock lock(&mutex_);
      if (next == nullptr) {
        const auto it = models_.find(name);
        if (it == models_.end()) return;
        previous = std::move(it->second);
        models_.erase(it);
      } else {
        ModelPtr& slot = models_[name];
        previous = std::exchange(slot, std::move(next));
      }
    }
    const bool was_known = previous != nullptr;
    const bool was_ready = was_known && NewestReady(*previous) != nullptr;
    if (listener_ && (ready != was_ready || !was_known)) listener_(name, ready);
  }

  void Remove(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    unloaded_.erase(name);
    if (Get(name) == nullptr) return;
    SIGSERVE_LOG(kInfo, "model '", name, "' is gone from the repository: unloaded");
    Replace(name, nullptr);
  }

  // Its directory cannot be read: whatever serves stays.
  void KeepWithProblem(const std::string& name, const absl::Status& problem)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_) ABSL_LOCKS_EXCLUDED(mutex_) {
    const ModelPtr before = Get(name);
    ModelRecord next = before == nullptr ? ModelRecord{} : *before;
    LogIfNew(name, problem, next);
    next.problem = problem;
    Replace(name, Finished(std::move(next)));
    if (on_load_failure_) on_load_failure_(name);
  }

  // Loads and lets go what the policy asks for. The error of the newest version that failed.
  absl::Status BringInLine(const ModelEntry& entry, ChangeCheck check)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  VersionRecord Load(absl::string_view model, int64_t number, const ModelOptions& options) const;
  // A ready version, loaded again if its files have changed; as it is when they do not load.
  VersionRecord Refresh(absl::string_view model, const VersionRecord& version,
                        const ModelOptions& options, ChangeCheck check) const;

  Repository* const repository_;
  const Clock* const clock_;
  const ReadinessListener listener_;
  const LoadFailureListener on_load_failure_;
  const ModelLoader loader_;

  absl::Mutex load_mutex_;                                       // one change at a time
  std::set<std::string> unloaded_ ABSL_GUARDED_BY(load_mutex_);  // by hand, until Reload
  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(load_mutex_);   // held for look-ups only
  absl::flat_hash_map<std::string, ModelPtr> models_ ABSL_GUARDED_BY(mutex_);
  std::vector<IgnoredEntry> ignored_ ABSL_GUARDED_BY(mutex_);
};

VersionRecord RegistryImpl::Load(absl::string_view model, int64_t number,
                                 const ModelOptions& options) const {
  const MonotonicTime start = clock_->Monotonic();
  // Taken before the files are read: what changes meanwhile shows as a difference next time.
  absl::StatusOr<std::string> source = loader_.Fingerprint(model, number, options);
  if (!source.ok()) return Failed(number, repository_->WithoutRoot(source.status()));
  absl::StatusOr<ServableHandle> servable = loader_.LoadVersion(model, number, options);
  if (!servable.ok()) return Failed(number, repository_->WithoutRoot(servable.status()));
  WarmUp(**servable, clock_);
  for (const std::string& note : options.notes) {
    SIGSERVE_LOG(kInfo, "model '", model, "': config.pbtxt: ", note);
  }
  SIGSERVE_LOG(kInfo, "model '", model, "' version ", number, " is ready; loaded in ",
               absl::FormatDuration(clock_->Monotonic() - start));
  return {.number = number,
          .state = VersionState::kReady,
          .servable = *std::move(servable),
          .source = *std::move(source)};
}

VersionRecord RegistryImpl::Refresh(absl::string_view model, const VersionRecord& version,
                                    const ModelOptions& options, ChangeCheck check) const {
  VersionRecord kept = version;
  const absl::StatusOr<std::string> source = loader_.Fingerprint(model, version.number, options);
  kept.error = repository_->WithoutRoot(source.status());
  if (!source.ok()) return kept;
  std::optional<uint64_t> contents;
  if (check == ChangeCheck::kContents) {
    const absl::StatusOr<uint64_t> hash = loader_.HashContents(model, version.number);
    if (hash.ok()) contents = *hash;
  }
  const bool unchanged =
      *source == version.source &&
      (check == ChangeCheck::kStamps || (contents.has_value() && contents == version.contents));
  if (unchanged) return kept;
  VersionRecord changed = Load(model, version.number, options);
  changed.contents = contents;
  if (changed.state == VersionState::kReady) return changed;
  kept.error =
      Annotate(changed.error, "its changed files do not load; the version loaded before serves");
  return kept;
}

absl::Status RegistryImpl::BringInLine(const ModelEntry& entry, ChangeCheck check) {
  const ModelPtr before = Get(entry.name);
  const ModelRecord current = before == nullptr ? ModelRecord{} : *before;
  absl::StatusOr<ModelOptions> options = loader_.LoadOptions(entry);
  if (!options.ok()) options = repository_->WithoutRoot(options.status());
  ModelRecord next;
  next.labels = options.ok() ? options->version_labels : current.labels;
  next.ignored = entry.ignored;
  next.problem = options.status();
  LogIfNew(entry.name, next.problem, current);
  const VersionPlan plan =
      PlanVersions(entry.versions, ReadyVersions(current),
                   options.ok() ? options->version_policy : VersionPolicy{}, next.labels);

  std::vector<VersionRecord> tried;
  for (const VersionRecord& version : current.versions) {
    if (version.state != VersionState::kReady || Contains(plan.unload, version.number)) continue;
    if (!options.ok() || Contains(plan.retire, version.number)) {
      next.versions.push_back(version);
    } else {
      tried.push_back(Refresh(entry.name, version, *options, check));
    }
  }
  if (before == nullptr && !plan.load.empty()) {  // seen as loading meanwhile
    ModelRecord loading = next;
    for (const int64_t number : plan.load) loading.versions.push_back({.number = number});
    Replace(entry.name, Finished(std::move(loading)));
  }

  for (const int64_t number : plan.missing) {
    tried.push_back(
        Failed(number, absl::NotFoundError(absl::StrCat("config.pbtxt asks for version ", number,
                                                        ", which is not in the repository"))));
  }
  for (const int64_t number : plan.load) {
    tried.push_back(options.ok() ? Load(entry.name, number, *options)
                                 : Failed(number, options.status()));
  }
  absl::Status error = options.status();
  int64_t newest_failed = 0;
  for (const VersionRecord& version : tried) {
    if (version.error.ok()) continue;
    LogIfNew(entry.name, version, current);
    if (version.number < newest_failed) continue;
    newest_failed = version.number;
    error = version.error;
  }
  next.versions.insert(next.versions.end(), tried.begin(), tried.end());
  for (VersionRecord& version : next.versions) {
    version.labelled_only = Contains(plan.labelled_only, version.number);
    const VersionRecord* known = FindVersion(current, version.number);
    if (version.labelled_only && (known == nullptr || !known->labelled_only)) {
      SIGSERVE_LOG(kWarning, "model '", entry.name, "' version ", version.number, ": ",
                   kLabelledOnly);
    }
  }
  if (error.ok()) Retire(entry.name, plan.retire, &next);
  Replace(entry.name, Finished(std::move(next)));
  if (!error.ok() && on_load_failure_) on_load_failure_(entry.name);
  return error;
}

}  // namespace

std::unique_ptr<ModelRegistry> ModelRegistry::Create(Repository* repository, FileSystem* files,
                                                     const Clock* clock, ReadinessListener listener,
                                                     LoadFailureListener on_load_failure) {
  return std::make_unique<RegistryImpl>(repository, files, clock, std::move(listener),
                                        std::move(on_load_failure));
}

}  // namespace sigserve
