#include "server/registry/version_policy.h"

#include <algorithm>
#include <set>

namespace sigserve {
namespace {

std::set<int64_t> VersionsOf(const VersionPolicy& policy, absl::Span<const int64_t> available) {
  std::set<int64_t> wanted;
  switch (policy.kind) {
    case VersionPolicy::Kind::kAll:
      wanted.insert(available.begin(), available.end());
      break;
    case VersionPolicy::Kind::kLatest: {
      const auto count =
          std::min<size_t>(available.size(), static_cast<size_t>(policy.latest_count));
      wanted.insert(available.end() - static_cast<std::ptrdiff_t>(count), available.end());
      break;
    }
    case VersionPolicy::Kind::kSpecific:
      wanted.insert(policy.versions.begin(), policy.versions.end());
      break;
  }
  return wanted;
}

}  // namespace

VersionPlan PlanVersions(absl::Span<const int64_t> available, absl::Span<const int64_t> ready,
                         const VersionPolicy& policy,
                         const std::map<std::string, int64_t>& version_labels) {
  const std::set<int64_t> on_disk(available.begin(), available.end());
  const std::set<int64_t> loaded(ready.begin(), ready.end());
  std::set<int64_t> wanted = VersionsOf(policy, available);
  VersionPlan plan;
  for (const auto& [label, version] : version_labels) {
    if (wanted.count(version) == 0 && on_disk.count(version) > 0) {
      plan.labelled_only.push_back(version);
    }
  }
  std::sort(plan.labelled_only.begin(), plan.labelled_only.end());
  for (const auto& [label, version] : version_labels) wanted.insert(version);
  for (const int64_t version : wanted) {
    if (on_disk.count(version) == 0) {
      plan.missing.push_back(version);
    } else if (loaded.count(version) == 0) {
      plan.load.push_back(version);
    }
  }
  for (const int64_t version : loaded) {
    if (on_disk.count(version) == 0) {
      plan.unload.push_back(version);
    } else if (wanted.count(version) == 0) {
      plan.retire.push_back(version);
    }
  }
  return plan;
}

}  // namespace sigserve
