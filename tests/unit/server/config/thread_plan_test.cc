#include "server/config/thread_plan.h"

#include <optional>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

constexpr absl::Duration kSpin = absl::Microseconds(120);
constexpr absl::Duration kNoSpin = absl::ZeroDuration();

struct Case {
  const char* name;
  CpuLimit cpus;
  ThreadOptions options;
  ThreadPlan plan;
};

class PlanThreadsTest : public testing::TestWithParam<Case> {};

TEST_P(PlanThreadsTest, Plan) {
  const ThreadPlan plan = PlanThreads(GetParam().cpus, GetParam().options);
  const ThreadPlan& expected = GetParam().plan;
  EXPECT_EQ(plan.io_threads, expected.io_threads);
  EXPECT_EQ(plan.compute_threads, expected.compute_threads);
  EXPECT_EQ(plan.spin, expected.spin);
  EXPECT_EQ(plan.spare_processors, expected.spare_processors);
  EXPECT_DOUBLE_EQ(plan.io_share, expected.io_share);
}

// Plans: I/O threads, compute threads, spin, spare processors, I/O share.
INSTANTIATE_TEST_SUITE_P(
    Machines, PlanThreadsTest,
    testing::Values(Case{"one", {1}, {}, {1, 1, kSpin, 0, 0.5}},
                    Case{"two", {2}, {}, {1, 2, kSpin, 1, 1.0}},
                    Case{"seven", {7}, {}, {1, 7, kSpin, 6, 3.5}},
                    Case{"eight", {8}, {}, {2, 8, kNoSpin, 6, 2.0}},
                    Case{"many", {64}, {}, {16, 64, kNoSpin, 48, 2.0}},
                    Case{"half_a_processor", {8, 0.5}, {}, {1, 1, kNoSpin, 0, 0.25}},
                    Case{"one_processors_time", {8, 1.0}, {}, {1, 1, kSpin, 0, 0.5}},
                    Case{"a_fractional_quota", {8, 2.5}, {}, {1, 3, kSpin, 2, 1.25}},
                    Case{"a_quota_above_affinity", {2, 16.0}, {}, {1, 2, kSpin, 1, 1.0}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Options, PlanThreadsTest,
    testing::Values(
        Case{"no_spin", {2}, {.spin = false}, {1, 2, kNoSpin, 1, 1.0}},
        Case{"io_threads", {2}, {.io_threads = 2}, {2, 2, kNoSpin, 0, 0.5}},
        Case{"more_io_threads_than_processors", {1}, {.io_threads = 4}, {4, 1, kNoSpin, 0, 0.125}},
        Case{"one_io_thread_of_many", {16}, {.io_threads = 1}, {1, 16, kSpin, 15, 8.0}},
        Case{"compute_threads", {4}, {.compute_threads = 1}, {1, 1, kSpin, 3, 2.0}}),
    [](const auto& info) { return info.param.name; });

TEST(ThreadPlan, SaysHowManyThreads) {
  EXPECT_EQ(PlanThreads({.processors = 2}, {}).ToString(),
            "1 I/O thread for light batches, 2 compute threads for heavy ones");
}

}  // namespace
}  // namespace sigserve
