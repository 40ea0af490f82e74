#include "server/metrics/model_metrics.h"

#include <set>
#include <utility>

namespace sigserve {

ModelMetrics::ModelMetrics(prometheus::Registry* registry)
    : ready_(prometheus::BuildGauge()
                 .Name("sigserve_model_ready")
                 .Help("1 while at least one version of the model serves, else 0.")
                 .Register(*registry)),
      versions_(prometheus::BuildGauge()
                    .Name("sigserve_model_versions")
                    .Help("Versions of the model by state: loading, ready, failed, unloaded (on "
                          "request).")
                    .Register(*registry)),
      failures_(prometheus::BuildCounter()
                    .Name("sigserve_model_load_failures_total")
                    .Help("Attempts to load the model, or changes of it, that failed. A polled "
                          "repository tries again at each poll.")
                    .Register(*registry)) {}

void ModelMetrics::Show(Read read) {
  absl::MutexLock lock(&mutex_);
  read_ = std::move(read);
}

void ModelMetrics::CountLoadFailure(const std::string& model) {
  failures_.Add({{"model", model}}).Increment();
}

void ModelMetrics::Update() {
  absl::MutexLock lock(&mutex_);
  if (!read_) return;
  std::set<std::string> gone;
  for (const auto& [model, series] : series_) gone.insert(model);
  for (const ModelVersions& model : read_()) {
    gone.erase(model.model);
    const Series& series = SeriesOf(model.model);
    series.ready->Set(model.ready > 0 ? 1 : 0);
    series.loading_versions->Set(static_cast<double>(model.loading));
    series.ready_versions->Set(static_cast<double>(model.ready));
    series.failed_versions->Set(static_cast<double>(model.failed));
    series.unloaded_versions->Set(static_cast<double>(model.unloaded));
  }
  for (const std::string& model : gone) {
    Remove(series_.at(model));
    series_.erase(model);
  }
}

ModelMetrics::Series& ModelMetrics::SeriesOf(const std::string& model) {
  const auto it = series_.find(model);
  if (it != series_.end()) return it->second;
  const auto in_state = [&](const char* state) {
    return &versions_.Add({{"model", model}, {"state", state}});
  };
  const Series series = {.ready = &ready_.Add({{"model", model}}),
                         .loading_versions = in_state("loading"),
                         .ready_versions = in_state("ready"),
                         .failed_versions = in_state("failed"),
                         .unloaded_versions = in_state("unloaded")};
  return series_.emplace(model, series).first->second;
}

void ModelMetrics::Remove(const Series& series) {
  ready_.Remove(series.ready);
  for (prometheus::Gauge* gauge : {series.loading_versions, series.ready_versions,
                                   series.failed_versions, series.unloaded_versions}) {
    versions_.Remove(gauge);
  }
}

}  // namespace sigserve
