#include "server/services/training_service.h"

#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/codec/status.h"
#include "server/codec/training_codec.h"

namespace sigserve {
namespace {

/// Answers at once.
template <typename Reactor>
class Refusal final : public Reactor {
 public:
  explicit Refusal(const absl::Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

/// One upload: the spec, then chunks, then the job. One message is in flight at a time. Kept alive
/// by itself until OnDone, and for a moment longer by the watch that is just looking at it.
class TrainReactor final : public grpc::ServerReadReactor<v1::TrainRequest>, public WatchedUpload {
 public:
  static TrainReactor* Start(JobRunner* runner, UploadWatch* watch,
                             grpc::CallbackServerContext* context, v1::TrainResponse* response) {
    auto reactor = std::make_shared<TrainReactor>(runner, watch, context, response);
    reactor->self_ = reactor;
    watch->Add(reactor);
    reactor->StartRead(&reactor->message_);
    reactor->Leave();
    return reactor.get();
  }

  TrainReactor(JobRunner* runner, UploadWatch* watch, grpc::CallbackServerContext* context,
               v1::TrainResponse* response)
      : runner_(runner),
        watch_(watch),
        context_(context),
        response_(response),
        share_(runner->data_budget()),
        last_heard_(watch->clock().Monotonic()) {}

  void OnReadDone(bool ok) override {
    const std::shared_ptr<TrainReactor> alive = self_;  // another thread may get to OnDone
    {
      absl::MutexLock lock(&mutex_);
      if (finished_) return;  // by End()
      ++inside_;
      last_heard_ = absl::InfiniteDuration();
    }
    absl::Status status;
    try {
      status = ok ? Take() : SubmitJob();
    } catch (const std::bad_alloc&) {  // the upload ends, and gives its memory back
      status = absl::ResourceExhaustedError("no memory left for the upload");
    }
    const bool over = !ok || !status.ok();
    {
      absl::MutexLock lock(&mutex_);
      last_heard_ = watch_->clock().Monotonic();
      finished_ = over;
    }
    if (over) {
      Finish(ToGrpc(status));
    } else {
      StartRead(&message_);
    }
    Leave();
  }
  void OnDone() override {
    watch_->Remove(this);
    self_.reset();
  }

  absl::Duration last_heard() const override {
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
  absl::Status Take() {
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

  absl::Status SubmitJob() {
    // A client that went away has not sent all its rows: there must be no job.
    if (context_->IsCancelled()) return absl::CancelledError("the upload was cut off");
    if (!rows_.has_value()) {
      return absl::InvalidArgumentError("TRAIN_PARAM: no spec was sent; it is the first message");
    }
    const int64_t rows = rows_->rows();
    SIGSERVE_ASSIGN_OR_RETURN(request_.rows, std::move(*rows_).Finish());
    SIGSERVE_ASSIGN_OR_RETURN(const JobStatus job,
                              runner_->Submit(std::move(request_), std::move(share_)));
    response_->set_job_id(job.id);
    response_->set_rows(rows);
    return absl::OkStatus();
  }

  /// gRPC must not be asked to finish while it is being asked to read: the last one inside does it.
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Status end;
    {
      absl::MutexLock lock(&mutex_);
      if (--inside_ > 0 || finished_ || end_.ok()) return;
      finished_ = true;
      end = end_;
    }
    rows_.reset();
    share_ = DataBudget::Share();
    Finish(ToGrpc(end));
  }

  JobRunner* const runner_;
  UploadWatch* const watch_;
  grpc::CallbackServerContext* const context_;
  v1::TrainResponse* const response_;
  std::shared_ptr<TrainReactor> self_;
  // Of whoever is inside; of no one else once finished_.
  DataBudget::Share share_;
  v1::TrainRequest message_;
  JobRequest request_;
  std::optional<RowCollector> rows_;

  mutable absl::Mutex mutex_;
  absl::Duration last_heard_ ABSL_GUARDED_BY(mutex_);  // infinite while OnReadDone is at work
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  int inside_ ABSL_GUARDED_BY(mutex_) = 1;  // Start()
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

/// One watcher: reads the log by offset and holds one event, however slow its client is. Kept alive
/// by itself until OnDone, and for a moment longer by a listener that is just being called.
class WatchReactor final : public grpc::ServerWriteReactor<v1::JobEvent> {
 public:
  static WatchReactor* Start(std::shared_ptr<EventLog> log, int64_t after) {
    auto reactor = std::make_shared<WatchReactor>(std::move(log), after);
    reactor->self_ = reactor;
    reactor->subscription_ =
        reactor->log_->Subscribe([weak = std::weak_ptr<WatchReactor>(reactor)] {
          if (const std::shared_ptr<WatchReactor> alive = weak.lock()) alive->Proceed();
        });
    reactor->Proceed();
    return reactor.get();
  }

  WatchReactor(std::shared_ptr<EventLog> log, int64_t after)
      : log_(std::move(log)), after_(after) {}

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      cancelled_ = cancelled_ || !ok;
    }
    Proceed();
  }
  void OnCancel() override {
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
    }
    Proceed();
  }
  void OnDone() override {
    log_->Unsubscribe(subscription_);
    self_.reset();
  }

 private:
  enum class Step { kWait, kWrite, kFinish };

  void Proceed() ABSL_LOCKS_EXCLUDED(mutex_) {
    grpc::Status status;
    // Called without the lock: gRPC may call back from within.
    switch (NextStep(&status)) {
      case Step::kWait:
        return;
      case Step::kWrite:
        return StartWrite(&message_);
      case Step::kFinish:
        return Finish(status);
    }
  }

  /// Writing and finishing are given out to one caller, until OnWriteDone or for good.
  Step NextStep(grpc::Status* status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (writing_ || finished_) return Step::kWait;
    if (cancelled_) {
      finished_ = true;
      *status = grpc::Status(grpc::StatusCode::CANCELLED, "the watcher went away");
      return Step::kFinish;
    }
    const EventLog::Next next = log_->After(after_);
    if (next.event.has_value()) {
      writing_ = true;
      after_ = next.event->number;
      message_ = EncodeEvent(*next.event);
      return Step::kWrite;
    }
    finished_ = next.ended;
    return next.ended ? Step::kFinish : Step::kWait;
  }

  const std::shared_ptr<EventLog> log_;
  std::shared_ptr<WatchReactor> self_;
  int64_t subscription_ = 0;
  v1::JobEvent message_;  // belongs to gRPC while writing_
  absl::Mutex mutex_;
  int64_t after_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
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

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 const absl::StatusOr<JobStatus>& job, v1::Job* response) {
  if (job.ok()) *response = EncodeJob(*job);
  return Answer(context, job.status());
}

}  // namespace

TrainingServiceImpl::TrainingServiceImpl(absl::StatusOr<JobRunner*> runner, const Clock* clock,
                                         absl::Duration upload_stall)
    : runner_(std::move(runner)), watch_(clock, upload_stall) {}

void TrainingServiceImpl::EndUploads() {
  watch_.EndAll(absl::UnavailableError("the server is shutting down"));
}

grpc::ServerReadReactor<v1::TrainRequest>* TrainingServiceImpl::Train(
    grpc::CallbackServerContext* context, v1::TrainResponse* response) {
  if (!runner_.ok()) {
    return new Refusal<grpc::ServerReadReactor<v1::TrainRequest>>(runner_.status());
  }
  return TrainReactor::Start(*runner_, &watch_, context, response);
}

grpc::ServerWriteReactor<v1::JobEvent>* TrainingServiceImpl::WatchJob(
    grpc::CallbackServerContext* /*context*/, const v1::WatchJobRequest* request) {
  absl::StatusOr<std::shared_ptr<EventLog>> log = FindEvents(runner_, *request);
  if (!log.ok()) return new Refusal<grpc::ServerWriteReactor<v1::JobEvent>>(log.status());
  return WatchReactor::Start(*std::move(log), request->after_event());
}

grpc::ServerUnaryReactor* TrainingServiceImpl::GetJob(grpc::CallbackServerContext* context,
                                                      const v1::GetJobRequest* request,
                                                      v1::Job* response) {
  if (!runner_.ok()) return Answer(context, runner_.status());
  return Answer(context, (*runner_)->Get(request->job_id()), response);
}

grpc::ServerUnaryReactor* TrainingServiceImpl::ListJobs(grpc::CallbackServerContext* context,
                                                        const v1::ListJobsRequest* /*request*/,
                                                        v1::ListJobsResponse* response) {
  if (!runner_.ok()) return Answer(context, runner_.status());
  for (const JobStatus& job : (*runner_)->List()) *response->add_jobs() = EncodeJob(job);
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* TrainingServiceImpl::CancelJob(grpc::CallbackServerContext* context,
                                                         const v1::CancelJobRequest* request,
                                                         v1::Job* response) {
  if (!runner_.ok()) return Answer(context, runner_.status());
  return Answer(context, (*runner_)->Cancel(request->job_id()), response);
}

}  // namespace sigserve
