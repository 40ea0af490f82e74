#include "server/training/job_runner.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/formats/onnx/onnx_writer.h"
#include "model/train/architecture.h"
#include "server/training/job_json.h"

namespace sigserve {
namespace {

constexpr int kLowestPriority = 19;
constexpr absl::string_view kShuttingDown = "the server is shutting down";

// On Linux a thread has a nice value of its own, and threads it starts inherit it.
void LowerPriorityOfThisThread() {
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  if (setpriority(PRIO_PROCESS, thread, kLowestPriority) != 0) {
    SIGSERVE_LOG(kWarning, "training runs at normal priority: setpriority failed");
  }
}

EpochMetrics MetricsOf(const EpochReport& report, absl::Duration elapsed) {
  return {report.epoch,
          report.training_loss,
          report.validation_loss,
          report.validation_accuracy,
          report.validation_roc_auc,
          elapsed};
}

// Found now, a mistake is the caller's answer; found by the trainer, it would be a failed job.
absl::Status Check(JobRequest* request) {
  SIGSERVE_RETURN_IF_ERROR(Repository::CheckModelName(request->model));
  SIGSERVE_RETURN_IF_ERROR(Validate(request->spec));
  SIGSERVE_RETURN_IF_ERROR(CheckRows(request->spec, request->rows));
  SIGSERVE_RETURN_IF_ERROR(CheckBothClasses(request->rows));
  if (!request->initial_weights.empty()) {
    SIGSERVE_ASSIGN_OR_RETURN(request->initial_weights,
                              ArrangeWeights(request->spec, std::move(request->initial_weights)));
  }
  return absl::OkStatus();
}

// -1: the model does not say, or any size will do.
template <typename T>
int64_t LastDimension(const T& tensor) {
  return tensor.any_rank || tensor.shape.rank() == 0 ? -1 : tensor.shape[tensor.shape.rank() - 1];
}

// A served model's callers rely on its signature: a version of another one must not take its place.
absl::Status CheckFitsServed(const ModelRegistry& registry, const JobRequest& request) {
  const absl::StatusOr<ServableHandle> served = registry.Find({.model = request.model});
  if (!served.ok()) return absl::OkStatus();
  const Signature& signature = (*served)->signature();
  const auto refuse = [&](absl::string_view has) {
    return absl::FailedPreconditionError(absl::StrCat(
        "TRAIN_SIGNATURE: model '", request.model, "' version ", (*served)->version(), " serves ",
        has, "; this job would publish one of ", request.spec.feature_count, " features and ",
        request.spec.label_count, " labels: train under another name"));
  };
  if (signature.inputs.size() != 1 || signature.outputs.size() != 1) {
    return refuse(absl::StrCat(signature.inputs.size(), " inputs and ", signature.outputs.size(),
                               " outputs"));
  }
  const int64_t features = LastDimension(signature.inputs[0]);
  const int64_t labels = LastDimension(signature.outputs[0]);
  if ((features < 0 || features == request.spec.feature_count) &&
      (labels < 0 || labels == request.spec.label_count)) {
    return absl::OkStatus();
  }
  return refuse(absl::StrCat(features, " features and ", labels, " labels"));
}

// What the work returns; an exception that a library or the allocator threw in it is an error.
template <typename Work>
auto NoThrow(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

// NOT_FOUND of a directory that went away would read as "no such job".
absl::Status NotRecorded(const absl::Status& saved) {
  const absl::StatusCode code =
      absl::IsResourceExhausted(saved) ? saved.code() : absl::StatusCode::kUnavailable;
  return absl::Status(code, absl::StrCat("the job cannot be recorded: ", saved.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobRunner>> JobRunner::Create(const TrainingOptions& options,
                                                             JobRunnerParts parts) {
  if (!parts.write_model) {
    parts.write_model = [](const Graph& graph) { return WriteOnnx(graph, SIGSERVE_VERSION); };
  }
  SIGSERVE_ASSIGN_OR_RETURN(
      std::unique_ptr<JobStore> store,
      JobStore::Open(parts.files, parts.repository->root(), parts.clock->Now()));
  const absl::Status cleaned = parts.repository->RemoveLeftovers();
  if (!cleaned.ok()) SIGSERVE_LOG(kWarning, "repository: ", cleaned.message());
  std::unique_ptr<JobRunner> runner(new JobRunner(options, std::move(parts), std::move(store)));
  runner->ForgetOldJobs();
  {
    absl::MutexLock lock(&runner->join_mutex_);
    runner->thread_ = std::thread([r = runner.get()] { r->Loop(); });
  }
  return runner;
}

JobRunner::JobRunner(const TrainingOptions& options, JobRunnerParts parts,
                     std::unique_ptr<JobStore> store)
    : options_(options),
      parts_(std::move(parts)),
      store_(std::move(store)),
      budget_(options.max_data_bytes) {
  absl::MutexLock lock(&mutex_);
  for (const JobRecord& record : store_->found()) {
    auto job = std::make_shared<Job>();
    job->status = record.status;
    job->events = std::make_shared<EventLog>(std::max<int64_t>(1, record.last_event));
    job->events->Append(record.status);
    jobs_.emplace(*JobNumber(record.status.id), std::move(job));
  }
}

JobRunner::~JobRunner() { Stop(); }

absl::StatusOr<JobStatus> JobRunner::Submit(JobRequest request, DataBudget::Share share) {
  SIGSERVE_RETURN_IF_ERROR(Check(&request));
  SIGSERVE_RETURN_IF_ERROR(CheckFitsServed(*parts_.registry, request));
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError(kShuttingDown);
    const int64_t waiting = static_cast<int64_t>(queue_.size()) + submitting_;
    if (waiting >= options_.max_queued_jobs) {
      return absl::ResourceExhaustedError(absl::StrCat(
          waiting, " training jobs wait; max_queued_jobs is ", options_.max_queued_jobs));
    }
    ++submitting_;
  }
  auto job = std::make_shared<Job>();
  JobStatus status;
  status.id = store_->NextId();
  status.model = request.model;
  status.created = parts_.clock->Now();
  status.epochs_total = request.spec.schedule.epochs;
  status.seed = request.spec.schedule.seed;
  job->status = status;
  job->request = std::move(request);
  job->share = std::move(share);
  job->events = std::make_shared<EventLog>();
  job->events->Append(status);
  const absl::Status saved = store_->Save({status, 1});
  bool too_late = false;
  {
    absl::MutexLock lock(&mutex_);
    --submitting_;
    if (saved.ok()) {
      jobs_.emplace(*JobNumber(status.id), job);
      too_late = stopping_;
      if (!too_late) queue_.push_back(job);
    }
  }
  if (!saved.ok()) return NotRecorded(saved);
  if (too_late) {
    End(job, JobState::kCancelled, kShuttingDown);
    return absl::UnavailableError(kShuttingDown);
  }
  ForgetOldJobs();
  SIGSERVE_LOG(kInfo, status.id, ": queued for model '", status.model, "'");
  return status;
}

absl::StatusOr<JobRunner::JobPtr> JobRunner::FindJob(absl::string_view id) const {
  const std::optional<int64_t> number = JobNumber(id);
  if (number.has_value()) {
    absl::MutexLock lock(&mutex_);
    const auto found = jobs_.find(*number);
    if (found != jobs_.end()) return found->second;
  }
  return absl::NotFoundError(
      absl::StrCat("no training job '", absl::Utf8SafeCEscape(id.substr(0, 100)), "'"));
}

JobStatus JobRunner::StatusOf(const Job& job) const {
  absl::MutexLock lock(&mutex_);
  return job.status;
}

absl::StatusOr<JobStatus> JobRunner::Get(absl::string_view id) const {
  SIGSERVE_ASSIGN_OR_RETURN(const JobPtr job, FindJob(id));
  return StatusOf(*job);
}

std::vector<JobStatus> JobRunner::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<JobStatus> all;
  all.reserve(jobs_.size());
  for (auto it = jobs_.rbegin(); it != jobs_.rend(); ++it) all.push_back(it->second->status);
  return all;
}

absl::StatusOr<std::shared_ptr<EventLog>> JobRunner::Events(absl::string_view id) const {
  SIGSERVE_ASSIGN_OR_RETURN(const JobPtr job, FindJob(id));
  absl::MutexLock lock(&mutex_);
  return job->events;
}

absl::StatusOr<JobStatus> JobRunner::Cancel(absl::string_view id) {
  SIGSERVE_ASSIGN_OR_RETURN(const JobPtr job, FindJob(id));
  bool was_queued = false;
  {
    absl::MutexLock lock(&mutex_);
    if (HasEnded(job->status.state)) return job->status;
    job->cancelled = true;
    const auto waiting = std::find(queue_.begin(), queue_.end(), job);
    was_queued = waiting != queue_.end();
    if (was_queued) queue_.erase(waiting);
  }
  if (was_queued) End(job, JobState::kCancelled, "cancelled before it ran");
  return StatusOf(*job);
}

void JobRunner::Stop(absl::Duration patience) {
  std::deque<JobPtr> waiting;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    waiting.swap(queue_);
    if (running_ != nullptr) running_->cancelled = true;
  }
  for (const JobPtr& job : waiting) End(job, JobState::kCancelled, kShuttingDown);
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &JobRunner::IsIdle), patience)) return;
  }
  absl::MutexLock lock(&join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void JobRunner::Loop() {
  while (true) {
    JobPtr job;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &JobRunner::HasWork));
      if (stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      running_ = job;
      job->status.state = JobState::kRunning;
      job->status.started = parts_.clock->Now();
    }
    Run(job);
    absl::MutexLock lock(&mutex_);
    running_ = nullptr;
  }
}

void JobRunner::Run(const JobPtr& job) {
  const std::vector<std::string> label_names = job->request.label_names;
  absl::StatusOr<Trained> trained = TrainAside(job.get());
  const absl::StatusOr<std::string> published =
      trained.ok() ? NoThrow([&] { return Publish(job.get(), *std::move(trained), label_names); })
                   : absl::StatusOr<std::string>(trained.status());
  const absl::Status& status = published.status();
  if (status.ok()) {
    End(job, JobState::kSucceeded, *published);
  } else if (absl::IsCancelled(status) && job->cancelled) {
    bool stopping = false;
    {
      absl::MutexLock lock(&mutex_);
      stopping = stopping_;
    }
    End(job, JobState::kCancelled, stopping ? kShuttingDown : "cancelled while it ran");
  } else {
    End(job, JobState::kFailed, status.message());
  }
}

// Training gets a thread for itself: whatever the registry starts while it loads the result must
// not inherit the low priority.
absl::StatusOr<JobRunner::Trained> JobRunner::TrainAside(Job* job) {
  absl::StatusOr<Trained> result = absl::InternalError("the training thread did not run");
  try {
    std::thread([&] {
      LowerPriorityOfThisThread();
      result = NoThrow([&] { return Train(job); });
    }).join();
  } catch (const std::exception& error) {
    result = absl::ResourceExhaustedError(absl::StrCat("no thread to train on: ", error.what()));
  }
  return result;
}

absl::StatusOr<JobRunner::Trained> JobRunner::Train(Job* job) {
  JobRequest request = std::exchange(job->request, JobRequest());
  const MonotonicTime start = parts_.clock->Monotonic();
  SIGSERVE_ASSIGN_OR_RETURN(
      const std::unique_ptr<Trainer> trainer,
      parts_.create_trainer(request.spec, std::move(request.rows.features),
                            std::move(request.rows.labels), std::move(request.initial_weights)));
  {
    absl::MutexLock lock(&mutex_);
    job->status.training_rows = trainer->training_rows();
    job->status.validation_rows = trainer->validation_rows();
  }
  Announce(job);
  const auto cancelled = [job] { return job->cancelled.load(); };
  const int64_t epochs = request.spec.schedule.epochs;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    if (cancelled()) return absl::CancelledError("cancelled");
    SIGSERVE_ASSIGN_OR_RETURN(const EpochReport report, trainer->RunEpoch(cancelled));
    const EpochMetrics metrics = MetricsOf(report, parts_.clock->Monotonic() - start);
    {
      absl::MutexLock lock(&mutex_);
      job->status.epochs_done = epoch;
      job->status.last_epoch = metrics;
    }
    if (RecordsEpoch(epoch, epochs)) job->events->Append(metrics);
  }
  if (cancelled()) return absl::CancelledError("cancelled");
  SIGSERVE_ASSIGN_OR_RETURN(const Graph graph, trainer->Publishable());
  SIGSERVE_ASSIGN_OR_RETURN(std::string model_file, parts_.write_model(graph));
  return Trained{std::move(model_file), std::move(request.spec)};
}

absl::StatusOr<std::string> JobRunner::Publish(Job* job, Trained trained,
                                               const std::vector<std::string>& label_names) {
  const JobStatus status = StatusOf(*job);
  const bool new_model = absl::IsNotFound(parts_.repository->ScanModel(status.model).status());
  const NewFile files[] = {
      {std::string(Repository::kDefaultModelFile), std::move(trained.model_file)},
      {"training.json", DescribeTraining(status, trained.spec)}};
  SIGSERVE_ASSIGN_OR_RETURN(
      const int64_t version,
      parts_.repository->Publish(status.model, files, ModelConfigText(label_names, new_model)));
  {
    absl::MutexLock lock(&mutex_);
    job->status.published_version = version;
  }
  // Whoever unloaded it did so on purpose.
  if (parts_.registry->UnloadedByHand(status.model)) {
    return absl::StrCat("version ", version, " is published; model '", status.model,
                        "' was unloaded by hand and stays so until it is loaded");
  }
  SIGSERVE_RETURN_IF_ERROR(
      Annotate(parts_.registry->Reload(status.model),
               absl::StrCat("version ", version, " is published, but does not serve")));
  const absl::Status serves =
      parts_.registry->Find({.model = status.model, .version = version}).status();
  if (absl::IsNotFound(serves)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "version ", version, " is published, but config.pbtxt's version_policy does not serve it"));
  }
  SIGSERVE_RETURN_IF_ERROR(
      Annotate(serves, absl::StrCat("version ", version, " is published, but does not serve")));
  return "";
}

void JobRunner::End(const JobPtr& job, JobState state, absl::string_view message) {
  job->request = JobRequest();
  job->share = DataBudget::Share();
  JobStatus status;
  {
    absl::MutexLock lock(&mutex_);
    job->status.state = state;
    job->status.message = std::string(message);
    job->status.ended = parts_.clock->Now();
    status = job->status;
  }
  Announce(job.get());
  {
    absl::MutexLock lock(&mutex_);
    ended_.push_back(job);
    if (ended_.size() > kMaxEventLogs) {
      Job& oldest = *ended_.front();
      auto last_only = std::make_shared<EventLog>(oldest.events->last_number());
      last_only->Append(oldest.status);
      oldest.events = std::move(last_only);
      ended_.pop_front();
    }
  }
  SIGSERVE_LOG(kInfo, status.id, ": ", status.epochs_done, " of ", status.epochs_total,
               " epochs of model '", status.model, "', version ", status.published_version,
               message.empty() ? "" : ", ", message);
}

void JobRunner::Announce(Job* job) {
  const JobStatus status = StatusOf(*job);
  // Only the job's own thread appends, so the next number is known.
  const absl::Status saved = store_->Save({status, job->events->last_number() + 1});
  if (!saved.ok()) SIGSERVE_LOG(kError, status.id, ": not recorded: ", saved.message());
  job->events->Append(status);
}

void JobRunner::ForgetOldJobs() {
  std::vector<std::string> forgotten;
  {
    absl::MutexLock lock(&mutex_);
    for (auto it = jobs_.begin(); it != jobs_.end() && jobs_.size() > kMaxJobs;) {
      if (HasEnded(it->second->status.state)) {
        forgotten.push_back(it->second->status.id);
        it = jobs_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const std::string& id : forgotten) {
    const absl::Status removed = store_->Remove(id);
    if (!removed.ok()) SIGSERVE_LOG(kWarning, id, ": ", removed.message());
  }
}

}  // namespace sigserve
