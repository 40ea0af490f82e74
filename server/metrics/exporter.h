// Metrics in Prometheus's text format, by prometheus-cpp. Thread-safe. A series appears with its
// first event; the README lists names and labels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/metrics/model_metrics.h"
#include "server/metrics/version_series.h"

namespace sigserve {

/// A snapshot of the requests that are queued or running.
struct ServerLoad {
  /// Rows of one model that wait for a compute thread.
  struct Queue {
    std::string model;
    int64_t rows = 0;
    absl::Duration time;  // estimated, to run them
  };
  /// Requests, including stream messages, that are not answered yet.
  int64_t requests_in_flight = 0;
  std::vector<Queue> queues;  // a model may have several entries
};

class MetricsExporter : public RequestExporter {
 public:
  /// `version`: this build's, for sigserve_build_info.
  static std::unique_ptr<MetricsExporter> Create(const std::string& version);

  /// sigserve_model_ready{model} and sigserve_model_versions{model,state}: what `read` returns at
  /// each exposition. Null: they stay as they are; on return no call of the previous one is
  /// running.
  virtual void ShowModels(ModelMetrics::Read read) = 0;
  /// sigserve_model_load_failures_total{model}.
  virtual void CountLoadFailure(const std::string& model) = 0;
  /// sigserve_requests_in_flight, sigserve_queue_rows{model} and sigserve_queue_seconds{model}:
  /// what `read` returns at each exposition. Null: they stay as they are; on return no call of the
  /// previous `read` is running.
  virtual void ShowLoad(std::function<ServerLoad()> read) = 0;
  /// The complete exposition, text format 0.0.4.
  virtual std::string Serialize() const = 0;
};

}  // namespace sigserve
