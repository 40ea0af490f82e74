// Metrics in Prometheus's text format: the only user of prometheus-cpp. Thread-safe. Series appear
// with their first event; names and labels are listed in the README.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/metrics/model_metrics.h"
#include "server/metrics/request_record.h"

namespace sigserve {

/// What is going on at this moment.
struct ServerLoad {
  /// What waits for a compute thread, of one model.
  struct Queue {
    std::string model;
    int64_t rows = 0;
    absl::Duration time;  // to run it, by estimate
  };
  /// Requests, messages of streams included, that are not answered yet.
  int64_t requests_in_flight = 0;
  std::vector<Queue> queues;  // a model's versions may be apart
};

class MetricsExporter : public RequestRecorder {
 public:
  /// `version`: this build's, for sigserve_build_info.
  static std::unique_ptr<MetricsExporter> Create(const std::string& version);

  /// sigserve_model_ready{model} and sigserve_model_versions{model,state}: what `read` says at each
  /// exposition. Null: they stay as they are, and the last call of `read` is over.
  virtual void ShowModels(ModelMetrics::Read read) = 0;
  /// sigserve_model_load_failures_total{model}.
  virtual void CountLoadFailure(const std::string& model) = 0;
  /// From now on sigserve_requests_in_flight, sigserve_queue_rows{model} and
  /// sigserve_queue_seconds{model} show what `read` says when they are asked for. Empty: they stay
  /// as they are, and the last `read` is over.
  virtual void ShowLoad(std::function<ServerLoad()> read) = 0;
  /// The whole exposition, text format 0.0.4.
  virtual std::string Serialize() const = 0;
};

}  // namespace sigserve
