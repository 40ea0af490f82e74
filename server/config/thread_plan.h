// How many threads serve and how they share the processors. Pure: limits and options in, a plan
// out.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "server/config/cpu_limit.h"
#include "server/config/server_options.h"

namespace sigserve {

struct ThreadPlan {
  /// Threads that read and write connections and run light batches.
  int io_threads = 1;
  /// Threads that run heavy batches.
  int compute_threads = 1;
  /// How long an I/O thread polls before it sleeps; zero = it sleeps at once.
  absl::Duration spin = absl::ZeroDuration();
  /// Heavy batches need an I/O thread's processor when more compute threads than this are busy.
  int spare_processors = 0;
  /// Then each I/O thread limits itself to this share of one processor, averaged over time.
  double io_share = 1;

  /// "1 I/O thread for light batches, 4 compute threads for heavy ones".
  std::string ToString() const;
};

ThreadPlan PlanThreads(const CpuLimit& cpus, const ThreadOptions& options);

}  // namespace sigserve
