#include "server/services/training_service.h"

#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/codec/training_codec.h"
#include "server/rpc/status.h"
#include "server/rpc/watch_reactor.h"

namespace sigserve {
namespace {

/// One upload: the spec, then chunks, then the job. One message is in flight at a time. Kept alive
/// by itself until OnDone, and for a moment longer by the watch that is just looking at it.
class TrainReactor final : public StreamReactor,
                           public WatchedUpload,
                           public std::enable_shared_from_this<TrainReactor> {
 public:
  TrainReactor(absl::StatusOr<JobRunner*> runner, UploadWatch* watch)
      : runner_(std::move(runner)), watch_(watch), last_heard_(watch->clock().Monotonic()) {}

  void OnStart(ServerStream* stream) override {
    stream_ = stream;
    if (!runner_.ok()) return Finish(runner_.status());
    share_ = DataBudget::Share((*runner_)->data_budget());
    watch_->Add(shared_from_this());
    stream_->Read();
    Leave();
  }
  void OnReadDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      if (finished_) return;  // by End()
      ++inside_;
      last_heard_ = MonotonicTime::InfiniteFuture();
    }
    absl::Status status;
    v1::TrainResponse response;
    try {
      status = ok ? Take() : SubmitJob(&response);
    } catch (const std::bad_alloc&) {  // the upload ends, and gives its memory back
      status = absl::ResourceExhaustedError("no memory left for the upload");
    }
    const bool over = !ok || !status.ok();
    {
      absl::MutexLock lock(&mutex_);
      last_heard_ = watch_->clock().Monotonic();
      finished_ = over;
    }
    if (!over) {
      stream_->Read();
    } else if (status.ok()) {
      stream_->WriteAndFinish(response.SerializeAsString());
    } else {
      Discard();
      Finish(status);
    }
    Leave();
  }
  void OnDone() override {
    watch_->Remove(this);
    absl::MutexLock lock(&mutex_);
    finished_ = true;  // the stream is gone, whether or not this reactor ended it
  }

  MonotonicTime last_heard() const override {
    absl::MutexLock lock(&mutex_);
    return last_heard_;
  }
  void End(const absl::Status& error) override {
    {
      absl::MutexLock lock(&mutex_);
      ++inside_;
      end_ = error;
    }
    Leave();
  }

 private:
  void Finish(const absl::Status& error) { stream_->Finish(WireStatus(error)); }

  absl::Status Take() {
    SIGSERVE_RETURN_IF_ERROR(ParseMessage(stream_->message(), &message_));
    if (message_.has_spec()) return TakeSpec();
    if (!message_.has_chunk()) {
      return absl::InvalidArgumentError("TRAIN_CHUNK: a message has neither spec nor chunk");
    }
    if (!rows_.has_value()) {
      return absl::InvalidArgumentError("TRAIN_CHUNK: a chunk came before the spec");
    }
    v1::TrainChunk* chunk = message_.mutable_chunk();
    SIGSERVE_RETURN_IF_ERROR(
        share_.Grow(static_cast<int64_t>(chunk->features().size() + chunk->labels().size())));
    return rows_->Add(chunk);
  }

  absl::Status TakeSpec() {
    if (rows_.has_value()) {
      return absl::InvalidArgumentError("TRAIN_PARAM: spec came twice; it is the first message");
    }
    SIGSERVE_ASSIGN_OR_RETURN(request_, DecodeTrainSpec(message_.spec()));
    SIGSERVE_RETURN_IF_ERROR(share_.Grow(WeightBytes(request_)));
    rows_.emplace(request_.spec.feature_count, request_.spec.label_count);
    return absl::OkStatus();
  }

  absl::Status SubmitJob(v1::TrainResponse* response) {
    // A client that went away has not sent all its rows: there must be no job.
    if (stream_->cancelled()) return absl::CancelledError("the upload was cut off");
    if (!rows_.has_value()) {
      return absl::InvalidArgumentError("TRAIN_PARAM: no spec was sent; it is the first message");
    }
    const int64_t rows = rows_->rows();
    SIGSERVE_ASSIGN_OR_RETURN(request_.rows, std::move(*rows_).Finish());
    SIGSERVE_ASSIGN_OR_RETURN(const JobStatus job,
                              (*runner_)->Submit(std::move(request_), std::move(share_)));
    response->set_job_id(job.id);
    response->set_rows(rows);
    return absl::OkStatus();
  }

  /// Here, not with the stream's last reference: that may be an I/O thread's.
  void Discard() {
    rows_.reset();
    request_ = JobRequest();
    message_.Clear();
    share_ = DataBudget::Share();
  }

  /// The stream must not be finished while it is being asked to read: the last one inside does it.
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Status end;
    {
      absl::MutexLock lock(&mutex_);
      if (--inside_ > 0 || finished_ || end_.ok()) return;
      finished_ = true;
      end = end_;
    }
    Discard();
    Finish(end);
  }

  const absl::StatusOr<JobRunner*> runner_;
  UploadWatch* const watch_;
  ServerStream* stream_ = nullptr;
  // Used by the one callback that runs at a time; by none once finished_.
  DataBudget::Share share_;
  v1::TrainRequest message_;
  JobRequest request_;
  std::optional<RowCollector> rows_;

  mutable absl::Mutex mutex_;
  MonotonicTime last_heard_ ABSL_GUARDED_BY(mutex_);  // infinite while OnReadDone is at work
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  int inside_ ABSL_GUARDED_BY(mutex_) = 1;  // OnStart()
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::StatusOr<std::shared_ptr<EventLog>> FindEvents(const absl::StatusOr<JobRunner*>& runner,
                                                     const v1::WatchJobRequest& request) {
  SIGSERVE_RETURN_IF_ERROR(runner.status());
  if (request.after_event() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("after_event is ", request.after_event(), "; expected 0 or more"));
  }
  return (*runner)->Events(request.job_id());
}

/// One watcher: reads the log by offset.
class JobWatcher final : public WatchReactor {
 public:
  explicit JobWatcher(const absl::StatusOr<JobRunner*>& runner) : runner_(runner) {}

  void OnDone() override {
    if (log_ != nullptr) log_->Unsubscribe(subscription_);
  }

 protected:
  absl::Status Open(absl::Span<const absl::string_view> bytes) override {
    v1::WatchJobRequest request;
    SIGSERVE_RETURN_IF_ERROR(ParseMessage(bytes, &request));
    SIGSERVE_ASSIGN_OR_RETURN(log_, FindEvents(runner_, request));
    after_ = request.after_event();
    // A listener may be called for a moment longer than it is subscribed.
    subscription_ = log_->Subscribe([weak = weak_from_this()] {
      if (const std::shared_ptr<WatchReactor> alive = weak.lock()) alive->Notify();
    });
    return absl::OkStatus();
  }
  Update Next() override {
    const EventLog::Next next = log_->After(after_);
    if (!next.event.has_value()) return {.message = std::nullopt, .ended = next.ended};
    after_ = next.event->number;
    return {.message = EncodeEvent(*next.event).SerializeAsString()};
  }

 private:
  const absl::StatusOr<JobRunner*>& runner_;
  std::shared_ptr<EventLog> log_;
  int64_t subscription_ = 0;
  int64_t after_ = 0;
};

}  // namespace

TrainingService::TrainingService(absl::StatusOr<JobRunner*> runner, const Clock* clock,
                                 absl::Duration upload_stall)
    : runner_(std::move(runner)), watch_(clock, upload_stall) {}

void TrainingService::EndUploads() {
  watch_.EndAll(absl::UnavailableError("the server is shutting down"));
}

std::vector<ServiceMethod> TrainingService::Methods() {
  return {
      {.method = {.path = "/sigserve.v1.TrainingService/Train", .kind = MethodKind::kReactorStream},
       .handler = StreamReactorFactory(
           [this] { return std::make_shared<TrainReactor>(runner_, &watch_); })},
      {.method = {.path = "/sigserve.v1.TrainingService/WatchJob",
                  .kind = MethodKind::kReactorStream},
       .handler = StreamReactorFactory([this] { return std::make_shared<JobWatcher>(runner_); })},
      FunctionMethod("/sigserve.v1.TrainingService/GetJob", this, &TrainingService::GetJob),
      FunctionMethod("/sigserve.v1.TrainingService/ListJobs", this, &TrainingService::ListJobs),
      FunctionMethod("/sigserve.v1.TrainingService/CancelJob", this, &TrainingService::CancelJob)};
}

absl::Status TrainingService::GetJob(const v1::GetJobRequest& request, v1::Job* response) {
  SIGSERVE_RETURN_IF_ERROR(runner_.status());
  SIGSERVE_ASSIGN_OR_RETURN(const JobStatus job, (*runner_)->Get(request.job_id()));
  *response = EncodeJob(job);
  return absl::OkStatus();
}

absl::Status TrainingService::ListJobs(const v1::ListJobsRequest& /*request*/,
                                       v1::ListJobsResponse* response) {
  SIGSERVE_RETURN_IF_ERROR(runner_.status());
  for (const JobStatus& job : (*runner_)->List()) *response->add_jobs() = EncodeJob(job);
  return absl::OkStatus();
}

absl::Status TrainingService::CancelJob(const v1::CancelJobRequest& request, v1::Job* response) {
  SIGSERVE_RETURN_IF_ERROR(runner_.status());
  SIGSERVE_ASSIGN_OR_RETURN(const JobStatus job, (*runner_)->Cancel(request.job_id()));
  *response = EncodeJob(job);
  return absl::OkStatus();
}

}  // namespace sigserve
