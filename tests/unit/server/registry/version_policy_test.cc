#include "server/registry/version_policy.h"

#include <ostream>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

using Versions = std::vector<int64_t>;

const VersionPolicy kLatest;
const VersionPolicy kLatestTwo{.kind = VersionPolicy::Kind::kLatest, .latest_count = 2};
const VersionPolicy kAll{.kind = VersionPolicy::Kind::kAll};
const VersionPolicy kOneAndThree{.kind = VersionPolicy::Kind::kSpecific, .versions = {3, 1}};

struct Case {
  const char* name;
  Versions available;
  Versions ready;
  VersionPolicy policy;
  std::map<std::string, int64_t> labels;
  VersionPlan plan;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class PlanVersionsTest : public testing::TestWithParam<Case> {};

TEST_P(PlanVersionsTest, Plan) {
  const Case& c = GetParam();
  const VersionPlan plan = PlanVersions(c.available, c.ready, c.policy, c.labels);
  EXPECT_EQ(plan.load, c.plan.load);
  EXPECT_EQ(plan.missing, c.plan.missing);
  EXPECT_EQ(plan.unload, c.plan.unload);
  EXPECT_EQ(plan.retire, c.plan.retire);
  EXPECT_EQ(plan.labelled_only, c.plan.labelled_only);
}

INSTANTIATE_TEST_SUITE_P(
    Table, PlanVersionsTest,
    testing::Values(Case{"nothing", {}, {}, kLatest, {}, {}},
                    Case{"first_version", {1}, {}, kLatest, {}, {.load = {1}}},
                    Case{"steady", {1}, {1}, kLatest, {}, {}},
                    Case{"newer_one", {1, 2}, {1}, kLatest, {}, {.load = {2}, .retire = {1}}},
                    Case{"newer_one_is_ready", {1, 2}, {1, 2}, kLatest, {}, {.retire = {1}}},
                    Case{"newest_vanished", {1}, {2}, kLatest, {}, {.load = {1}, .unload = {2}}},
                    Case{"all_vanished", {}, {1, 2}, kAll, {}, {.unload = {1, 2}}},
                    Case{"latest_of_many", {1, 5, 9}, {}, kLatestTwo, {}, {.load = {5, 9}}},
                    Case{"latest_of_too_few", {4}, {}, kLatestTwo, {}, {.load = {4}}},
                    Case{"all", {1, 2, 3}, {2}, kAll, {}, {.load = {1, 3}}},
                    Case{"specific", {1, 2, 3}, {}, kOneAndThree, {}, {.load = {1, 3}}},
                    Case{"specific_is_missing",
                         {1, 2},
                         {2},
                         kOneAndThree,
                         {},
                         {.load = {1}, .missing = {3}, .retire = {2}}},
                    Case{"labelled_stays",
                         {1, 2},
                         {1},
                         kLatest,
                         {{"stable", 1}},
                         {.load = {2}, .labelled_only = {1}}},
                    Case{"label_of_nothing", {2}, {2}, kLatest, {{"stable", 1}}, {.missing = {1}}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sigserve
