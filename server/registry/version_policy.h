// Which versions of a model to load and which to let go: a pure function of what is on disk, what
// is ready, and the model's policy.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "server/config/model_options.h"

namespace sigserve {

struct VersionPlan {
  std::vector<int64_t> load = {};     // ascending
  std::vector<int64_t> missing = {};  // asked for by number, but not in the repository; ascending
  /// On disk and wanted for their label alone: the policy does not ask for them; ascending.
  std::vector<int64_t> labelled_only = {};
  /// Gone from the repository: let go in any case.
  std::vector<int64_t> unload = {};
  /// Still there, but no longer asked for: let go only once everything in `load` is ready, so that
  /// a broken new version never takes a serving one down.
  std::vector<int64_t> retire = {};

  friend bool operator==(const VersionPlan&, const VersionPlan&) = default;
};

/// `available` and `ready`: ascending. Versions that have a label are wanted besides the policy's.
VersionPlan PlanVersions(absl::Span<const int64_t> available, absl::Span<const int64_t> ready,
                         const VersionPolicy& policy,
                         const std::map<std::string, int64_t>& version_labels);

}  // namespace sigserve
