// The histogram, the arrivals and the saturation search: pure, on virtual clocks.
#include <unistd.h>

#include <cmath>
#include <random>
#include <vector>

#include "client/bench/arrivals.h"
#include "client/bench/latency_histogram.h"
#include "client/bench/saturation.h"
#include "client/bench/server_cpu.h"
#include "tests/support/status_matchers.h"

namespace sigserve::bench {
namespace {

TEST(LatencyHistogramTest, EmptyIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(LatencyHistogramTest, OneValueIsFoundToWithinOnePercentWhateverItsSize) {
  for (int64_t ns = 1; ns < int64_t{1} << 41; ns += 1 + ns / 3) {
    LatencyHistogram histogram;
    histogram.Record(ns);
    histogram.Record(int64_t{1} << 41);  // so that max() does not help
    const auto error = static_cast<double>(std::abs(histogram.Quantile(0.5) - ns));
    EXPECT_LE(error, 0.01 * static_cast<double>(ns)) << ns;
  }
}

TEST(LatencyHistogramTest, QuantilesOfThousand) {
  LatencyHistogram histogram;
  for (int64_t i = 1; i <= 1000; ++i) histogram.Record(i * 1000);
  EXPECT_NEAR(static_cast<double>(histogram.Quantile(0.5)), 500e3, 5e3);
  EXPECT_NEAR(static_cast<double>(histogram.Quantile(0.99)), 990e3, 9.9e3);
  EXPECT_EQ(histogram.Quantile(1), 1000000);
  EXPECT_EQ(histogram.max(), 1000000);
  EXPECT_EQ(histogram.mean(), 500500);
  EXPECT_EQ(histogram.count(), 1000);
}

TEST(LatencyHistogramTest, MergedIsAsIfRecordedInOne) {
  LatencyHistogram all;
  LatencyHistogram halves[2];
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto ns = static_cast<int64_t>(random() >> 30);
    all.Record(ns);
    halves[i % 2].Record(ns);
  }
  halves[0].Merge(halves[1]);
  for (const double q : {0.0, 0.1, 0.5, 0.9, 0.999, 1.0}) {
    EXPECT_EQ(halves[0].Quantile(q), all.Quantile(q)) << q;
  }
  EXPECT_EQ(halves[0].count(), all.count());
}

TEST(LatencyHistogramTest, ValuesOutOfRangeAreClamped) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.Quantile(0), 0);
  EXPECT_EQ(histogram.max(), (int64_t{1} << 42) - 1);
}

TEST(ArrivalsTest, TheRateIsKeptAndOnlyGrowsInTime) {
  Arrivals arrivals(1e6, 5000, 7);
  int64_t before = 5000;
  int64_t count = 0;
  for (; arrivals.due_ns() < 5000 + 1000000000; arrivals.Advance(), ++count) {
    EXPECT_GE(arrivals.due_ns(), before);
    before = arrivals.due_ns();
  }
  EXPECT_NEAR(static_cast<double>(count), 1e6, 5e3);  // five standard deviations
}

TEST(ArrivalsTest, TheSameSeedTheSameTimes) {
  Arrivals a(1000, 0, 3);
  Arrivals b(1000, 0, 3);
  Arrivals c(1000, 0, 4);
  EXPECT_EQ(a.due_ns(), b.due_ns());
  EXPECT_NE(a.due_ns(), c.due_ns());
}

TEST(SaturationTest, FindsTheLimitToItsPrecision) {
  for (const double limit : {1000.0, 1234.0, 160000.0, 3.9e6}) {
    int runs = 0;
    ASSERT_OK_AND_ASSIGN(const double found, FindSaturation({}, [&](double rate) {
                           ++runs;
                           return absl::StatusOr<bool>(rate <= limit);
                         }));
    EXPECT_LE(found, limit);
    EXPECT_GE(found, limit / 1.05);
    EXPECT_LE(runs, 20);
  }
}

TEST(SaturationTest, AServerThatKeepsUpWithNothingAndOneThatKeepsUpWithAll) {
  const auto always = [](bool answer) {
    return FindSaturation({.first_rate = 1000, .max_rate = 5000},
                          [answer](double) { return absl::StatusOr<bool>(answer); });
  };
  EXPECT_EQ(always(false).value(), 0);
  EXPECT_EQ(always(true).value(), 5000);
}

TEST(SaturationTest, AFailedMeasurementEndsTheSearch) {
  const auto found =
      FindSaturation({}, [](double) { return absl::StatusOr<bool>(absl::AbortedError("gone")); });
  EXPECT_THAT(found, StatusIs(absl::StatusCode::kAborted, "gone"));
}

TEST(ServerCpuTest, ASampleOfPrometheusText) {
  constexpr char kPage[] =
      "HTTP/1.1 200 OK\r\n\r\n# HELP cpu x\nother 1\ncpu{a=\"b\"} 2\ncpu 3.5\ncpu_more 4\n";
  EXPECT_EQ(FindSample(kPage, "cpu").value(), 3.5);
  EXPECT_THAT(FindSample(kPage, "missing"), StatusIs(absl::StatusCode::kNotFound, "no missing"));
}

TEST(ServerCpuTest, ThisProcessHasUsedSomeAndAnUnknownOneIsNotFound) {
  EXPECT_GT(CpuSecondsOfProcess(getpid()).value(), 0);
  EXPECT_THAT(CpuSecondsOfProcess(1 << 30), StatusIs(absl::StatusCode::kNotFound, testing::_));
}

}  // namespace
}  // namespace sigserve::bench
