// Metrics in Prometheus's text format: the only user of prometheus-cpp. Thread-safe. Series appear
// with their first event; names and labels are listed in the README.
#pragma once

#include <memory>
#include <string>

#include "server/metrics/request_record.h"

namespace sigserve {

class MetricsExporter : public RequestRecorder {
 public:
  /// `version`: this build's, for sigserve_build_info.
  static std::unique_ptr<MetricsExporter> Create(const std::string& version);

  /// sigserve_model_ready{model}: 1 or 0.
  virtual void SetModelReady(const std::string& model, bool ready) = 0;
  /// The whole exposition, text format 0.0.4.
  virtual std::string Serialize() const = 0;
};

}  // namespace sigserve
