#include "server/registry/routing.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sigserve {
namespace {

// Names come from clients: cut and escaped before an error repeats them.
std::string Printable(absl::string_view name) {
  constexpr size_t kMaxName = 128;
  return absl::StrCat(absl::CEscape(name.substr(0, kMaxName)), name.size() > kMaxName ? "..." : "");
}

std::string ListOf(std::vector<std::string> items) {
  constexpr size_t kMaxListed = 20;
  if (items.empty()) return "none";
  const size_t more = items.size() > kMaxListed ? items.size() - kMaxListed : 0;
  items.resize(items.size() - more);
  return absl::StrCat(absl::StrJoin(items, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

std::string VersionList(const ModelRecord& model) {
  std::vector<std::string> items;
  for (const VersionRecord& version : model.versions) {
    items.push_back(
        absl::StrCat(version.number, version.state == VersionState::kReady ? "" : " (not ready)"));
  }
  return ListOf(std::move(items));
}

absl::Status NotReady(absl::string_view model, const VersionRecord& version) {
  return absl::UnavailableError(absl::StrCat(
      "model '", model, "' version ", version.number, " is not ready: ",
      version.state == VersionState::kLoading ? "it is being loaded" : version.reason()));
}

}  // namespace

const VersionRecord* NewestReady(const ModelRecord& model) {
  const VersionRecord* labelled = nullptr;
  for (const VersionRecord& version : model.versions) {
    if (version.state != VersionState::kReady) continue;
    if (!version.labelled_only) return &version;
    if (labelled == nullptr) labelled = &version;
  }
  return labelled;
}

std::vector<int64_t> ReadyVersions(const ModelRecord& model) {
  std::vector<int64_t> ready;
  for (const VersionRecord& version : model.versions) {
    if (version.state == VersionState::kReady) ready.push_back(version.number);
  }
  std::reverse(ready.begin(), ready.end());
  return ready;
}

const VersionRecord* FindVersion(const ModelRecord& model, int64_t number) {
  for (const VersionRecord& version : model.versions) {
    if (version.number == number) return &version;
  }
  return nullptr;
}

std::string ReadyReason(const VersionRecord& version, const ModelRecord& model) {
  if (model.problem.ok() && version.labelled_only) return std::string(kLabelledOnly);
  return std::string(model.problem.message());
}

std::string WhyNoVersions(const ModelRecord& model) {
  if (!model.problem.ok()) return std::string(model.problem.message());
  return absl::StrCat(
      "it has no versions in the repository",
      model.ignored.empty() ? "" : absl::StrCat("; ignored there: ", ListOf(model.ignored)));
}

absl::StatusOr<ServableHandle> Select(const ModelQuery& query, const ModelRecord& model) {
  std::optional<int64_t> wanted = query.version;
  if (!wanted.has_value()) {
    const auto it = model.labels.find(query.label.empty() ? "stable" : std::string(query.label));
    if (it != model.labels.end()) {
      wanted = it->second;
    } else if (!query.label.empty() && query.label != "stable" && query.label != "latest") {
      std::vector<std::string> labels = {"latest", "stable"};
      for (const auto& [label, version] : model.labels) {
        if (label != "stable" && label != "latest") labels.push_back(label);
      }
      return absl::NotFoundError(absl::StrCat("model '", query.model, "' has no version label '",
                                              Printable(query.label),
                                              "'; it has: ", ListOf(std::move(labels))));
    }
  }
  if (wanted.has_value()) {
    const VersionRecord* version = FindVersion(model, *wanted);
    if (version == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("Request for unknown model: '", query.model, "' version ", *wanted,
                       " is not found; it has versions: ", VersionList(model)));
    }
    if (version->state != VersionState::kReady) return NotReady(query.model, *version);
    return version->servable;
  }
  const VersionRecord* newest = NewestReady(model);
  if (newest != nullptr) return newest->servable;
  if (model.versions.empty()) {
    return absl::UnavailableError(
        absl::StrCat("model '", query.model, "' is not ready: ", WhyNoVersions(model)));
  }
  return NotReady(query.model, model.versions.front());
}

absl::Status UnknownModel(absl::string_view model, std::vector<std::string> models) {
  return absl::NotFoundError(
      absl::StrCat("Request for unknown model: '", Printable(model),
                   "' is not found; this server has: ", ListOf(std::move(models))));
}

}  // namespace sigserve
