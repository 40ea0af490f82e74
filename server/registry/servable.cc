#include "server/registry/servable.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "model/base/status_macros.h"
#include "server/registry/servable_settings.h"
#include "server/registry/session_pool.h"
#include "server/registry/signature_check.h"

namespace sigserve {
namespace {

class LoadedServable : public Servable {
 public:
  LoadedServable(std::string name, int64_t version, std::string model_filename,
                 ServableSettings settings, const QueuePolicy& policy,
                 const std::shared_ptr<SessionPool>& pool)
      : name_(std::move(name)),
        version_(version),
        model_filename_(std::move(model_filename)),
        settings_(std::move(settings)),
        target_{.model = name_,
                .run = [pool](absl::Span<const TensorView> inputs) { return pool->Run(inputs); },
                .outputs = static_cast<int>(settings_.signature.outputs.size()),
                .batchable = settings_.signature.batchable,
                .queue = policy} {}

  const std::string& name() const override { return name_; }
  int64_t version() const override { return version_; }
  const Signature& signature() const override { return settings_.signature; }
  int64_t max_batch_size() const override {
    if (!settings_.signature.batchable) return 0;
    return settings_.max_batch_size > 0 ? settings_.max_batch_size : kDefaultMaxBatchSize;
  }
  const std::string& model_filename() const override { return model_filename_; }
  absl::Span<const std::string> labels(int output) const override {
    return settings_.labels[static_cast<size_t>(output)];
  }
  absl::Span<const float> thresholds(int output) const override {
    return settings_.thresholds[static_cast<size_t>(output)];
  }

  absl::Status Check(absl::Span<const NamedTensor> inputs, Task* task) const override {
    SIGSERVE_ASSIGN_OR_RETURN(CheckedInputs checked,
                              CheckInputs(name_, settings_.signature,
                                          {.max_batch_size = settings_.max_batch_size,
                                           .forbid_nan = settings_.forbid_nan},
                                          inputs));
    task->inputs = std::move(checked.inputs);
    task->rows = checked.rows;
    return absl::OkStatus();
  }

  void Submit(Task task, TaskSink* sink) const override {
    const QueuePolicy& queue = target_.queue;
    if (task.priority == 0 || task.priority > queue.priority_levels) {
      task.priority = queue.default_priority;
    }
    sink->Add(target_, std::move(task));
  }

 private:
  const std::string name_;
  const int64_t version_;
  const std::string model_filename_;
  const ServableSettings settings_;
  const BatchTarget target_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<Servable>> Servable::Create(
    std::string name, int64_t version, const ModelOptions& options,
    std::shared_ptr<const Executable> executable) {
  SIGSERVE_ASSIGN_OR_RETURN(ServableSettings settings,
                            MatchSettings(options, executable->signature()));
  // More sessions than processors cannot be busy at once for long.
  const size_t max_idle = std::max(1U, std::thread::hardware_concurrency());
  return std::make_shared<LoadedServable>(
      std::move(name), version, options.model_filename, std::move(settings), options.queue,
      std::make_shared<SessionPool>(std::move(executable), max_idle));
}

}  // namespace sigserve
