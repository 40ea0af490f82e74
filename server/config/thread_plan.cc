#include "server/config/thread_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

// gRPC's poller wakes a second thread for what the first one reads: with two I/O threads a single
// call takes three times as long, and throughput grows by half only.
constexpr int kProcessorsPerIoThread = 4;
// A client that blocks on each answer needs some 80 us until its next call arrives. Sleeping and
// waking meanwhile would cost as much processor time: some 60 us per call.
constexpr absl::Duration kSpin = absl::Microseconds(120);
// Of the processor time while heavy batches need it; the other half is theirs.
constexpr double kIoPart = 0.5;

std::string Count(int n, absl::string_view what) {
  return absl::StrCat(n, " ", what, n == 1 ? " thread" : " threads");
}

}  // namespace

std::string ThreadPlan::ToString() const {
  return absl::StrCat(Count(io_threads, "I/O"), " for light batches, ",
                      Count(compute_threads, "compute"), " for heavy ones");
}

ThreadPlan PlanThreads(const CpuLimit& cpus, const ThreadOptions& options) {
  ThreadPlan plan;
  plan.io_threads = options.io_threads > 0 ? static_cast<int>(options.io_threads)
                                           : std::max(1, cpus.threads() / kProcessorsPerIoThread);
  plan.compute_threads =
      options.compute_threads > 0 ? static_cast<int>(options.compute_threads) : cpus.threads();
  // Several I/O threads would spin for the same events, and spinning must not use up a quota.
  if (options.spin && plan.io_threads == 1 && cpus.quota.value_or(1) >= 1) plan.spin = kSpin;
  plan.spare_processors = std::max(0, cpus.threads() - plan.io_threads);
  const double processors = std::min<double>(cpus.processors, cpus.quota.value_or(cpus.processors));
  plan.io_share = kIoPart * processors / plan.io_threads;
  return plan;
}

}  // namespace sigserve
