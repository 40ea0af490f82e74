#include "server/registry/routing.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_servable.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

VersionRecord Ready(int64_t number, bool labelled_only = false) {
  return {.number = number,
          .state = VersionState::kReady,
          .servable = std::make_shared<testing_support::FakeServable>(Signature()),
          .labelled_only = labelled_only};
}

VersionRecord NotReady(int64_t number, VersionState state, absl::Status error = absl::OkStatus()) {
  return {.number = number, .state = state, .error = std::move(error)};
}

/// Versions 5 (loading), 4 (failed), 3 and 1 (ready), 2 (ready, for its label alone).
ModelRecord Model() {
  ModelRecord model;
  model.versions = {NotReady(5, VersionState::kLoading),
                    NotReady(4, VersionState::kFailed, absl::InternalError("disk")), Ready(3),
                    Ready(2, true), Ready(1)};
  model.labels = {{"canary", 2}, {"gone", 7}, {"broken", 4}};
  return model;
}

/// The number of the version that answers, or the error.
std::string Answers(const ModelQuery& query, const ModelRecord& model) {
  const absl::StatusOr<ServableHandle> found = Select(query, model);
  if (!found.ok()) return std::string(found.status().message());
  for (const VersionRecord& version : model.versions) {
    if (version.servable == *found) return absl::StrCat(version.number);
  }
  return "none of its versions";
}

TEST(Select, ByNumberLabelOrNeither) {
  ModelRecord stable_is_one = Model();
  stable_is_one.labels["stable"] = 1;
  ModelRecord labelled_only = Model();
  labelled_only.versions = {Ready(2, true)};
  ModelRecord empty;
  empty.ignored = {"'v1': not a number"};
  ModelRecord broken;
  broken.problem = absl::InvalidArgumentError("config.pbtxt:1:1: no");
  const struct {
    const char* what;
    ModelRecord model;
    ModelQuery query;
    std::string answer;
  } cases[] = {
      {"neither: the newest ready", Model(), {}, "3"},
      {"neither: stable", stable_is_one, {}, "1"},
      {"the label stable", stable_is_one, {.label = "stable"}, "1"},
      {"stable, not configured", Model(), {.label = "stable"}, "3"},
      {"latest", stable_is_one, {.label = "latest"}, "3"},
      {"a label", Model(), {.label = "canary"}, "2"},
      {"a number", Model(), {.version = 1}, "1"},
      {"a number served for its label", Model(), {.version = 2}, "2"},
      {"only a labelled version", labelled_only, {}, "2"},
      {"no such label", Model(), {.label = "blue"}, "it has: latest, stable, broken, canary, gone"},
      {"a label of a version that is gone", Model(), {.label = "gone"}, "version 7 is not found"},
      {"a label of a failed version", Model(), {.label = "broken"}, "version 4 is not ready: disk"},
      {"a failed version", Model(), {.version = 4}, "version 4 is not ready: disk"},
      {"a loading version", Model(), {.version = 5}, "it is being loaded"},
      {"no such version",
       Model(),
       {.version = 9},
       "it has versions: 5 (not ready), 4 (not ready), 3, 2, 1"},
      {"no versions", empty, {}, "ignored there: 'v1': not a number"},
      {"a broken config", broken, {}, "config.pbtxt:1:1: no"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Answers(c.query, c.model), HasSubstr(c.answer)) << c.what;
  }
}

TEST(ReadyVersions, Ascending) { EXPECT_THAT(ReadyVersions(Model()), ElementsAre(1, 2, 3)); }

TEST(UnknownModel, EscapesTheNameAndCutsTheList) {
  std::vector<std::string> models;
  for (int i = 0; i < 30; ++i) models.push_back(absl::StrCat("m", i));
  EXPECT_THAT(UnknownModel("a\nb", models).message(), HasSubstr(R"('a\nb')"));
  EXPECT_THAT(UnknownModel("x", models).message(), HasSubstr("m19 and 10 more"));
  EXPECT_THAT(UnknownModel("x", {}).message(), HasSubstr("this server has: none"));
}

}  // namespace
}  // namespace sigserve
