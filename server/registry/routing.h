// Which version of a model answers a request, and what to say if none does. Pure: works on records
// of the versions that ModelRegistry keeps.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/registry/model_registry.h"
#include "server/registry/servable.h"

namespace sigserve {

/// The reason of a version that serves for its label alone.
inline constexpr absl::string_view kLabelledOnly =
    "config.pbtxt gives it a label, but its version_policy does not serve it: only requests for "
    "the label or the number get it";

/// One version as listed: loading, ready (then it has a servable; an error says why a newer state
/// of its files does not serve) or failed (then an error).
struct VersionRecord {
  int64_t number = 0;
  VersionState state = VersionState::kLoading;
  absl::Status error = absl::OkStatus();
  ServableHandle servable = nullptr;
  std::string source = "";  // ModelLoader::Fingerprint of what it was loaded from
  std::optional<uint64_t> contents = std::nullopt;  // ModelLoader::HashContents, where it is known
  bool labelled_only = false;                       // version_policy does not serve it

  std::string reason() const { return std::string(error.message()); }
};

/// One model as Find() sees it; replaced as a whole, never changed.
struct ModelRecord {
  std::vector<VersionRecord> versions;  // newest first
  std::map<std::string, int64_t> labels;
  std::vector<std::string> ignored;  // what looked like a version but is none, with the reason
  absl::Status problem;              // of its directory or config.pbtxt
  bool unloaded_by_hand = false;
};

/// The version that answers a query. NOT_FOUND (unknown version or label: says which exist),
/// UNAVAILABLE (known, but not ready: says why).
absl::StatusOr<ServableHandle> Select(const ModelQuery& query, const ModelRecord& model);

/// The newest ready version that the policy serves; without one, the newest ready version that has
/// a label; null if none is ready.
const VersionRecord* NewestReady(const ModelRecord& model);
/// Numbers of the ready versions, ascending.
std::vector<int64_t> ReadyVersions(const ModelRecord& model);
/// Null if the model has no such version.
const VersionRecord* FindVersion(const ModelRecord& model, int64_t number);

/// What is to be known about a version that is ready and loaded without an error; mostly empty.
std::string ReadyReason(const VersionRecord& version, const ModelRecord& model);
/// Why a model has no versions.
std::string WhyNoVersions(const ModelRecord& model);
/// NOT_FOUND that lists the models there are.
absl::Status UnknownModel(absl::string_view model, std::vector<std::string> models);

}  // namespace sigserve
