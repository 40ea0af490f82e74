// A sigserve that lives in the test: the API's three services and health, answering from plain
// fields that the test sets. Listens on 127.0.0.1 on a free port; stops when destroyed.
//
//   FakeSigserve server;
//   server.predict = [](const auto& request, auto* response) { ...; return grpc::Status::OK; };
//
// Handlers run on gRPC's threads, one call at a time (mutex inside): a handler may touch the test's
// variables freely as long as the test reads them after its call has returned.
// Linked only by tests of the client; needs grpc_sigserve and grpc_health.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "sigserve/v1/model.grpc.pb.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "sigserve/v1/training.grpc.pb.h"

namespace sigserve::testing_support {

class FakeSigserve {
 public:
  template <typename Request, typename Response>
  using Handler = std::function<grpc::Status(const Request&, Response*)>;

  Handler<v1::PredictRequest, v1::PredictResponse> predict;
  Handler<v1::ListModelsRequest, v1::ListModelsResponse> list_models;
  Handler<v1::GetModelRequest, v1::GetModelResponse> get_model;
  Handler<v1::ReloadModelsRequest, v1::ReloadModelsResponse> reload;
  Handler<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse> check;
  /// All messages of the stream at once.
  Handler<std::vector<v1::TrainRequest>, v1::TrainResponse> train;
  /// The events to send, then the status to end with.
  Handler<v1::WatchJobRequest, std::vector<v1::JobEvent>> watch;
  Handler<v1::GetJobRequest, v1::Job> get_job;
  Handler<v1::ListJobsRequest, v1::ListJobsResponse> list_jobs;
  Handler<v1::CancelJobRequest, v1::Job> cancel_job;
  /// Sent as grpc-retry-pushback-ms with every unary failure; empty = not sent.
  std::string pushback_ms;
  /// A watcher stays connected after its events until it hangs up.
  bool watch_forever = false;

  /// `max_calls`: at a time on a connection; 0 = as many as there are.
  explicit FakeSigserve(int max_calls = 0)
      : prediction_(this), model_(this), training_(this), health_(this) {
    grpc::ServerBuilder builder;
    if (max_calls > 0) builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, max_calls);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    for (grpc::Service* service :
         std::initializer_list<grpc::Service*>{&prediction_, &model_, &training_, &health_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
  }
  ~FakeSigserve() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  template <typename Request, typename Response>
  grpc::Status Answer(const Handler<Request, Response>& handler, grpc::ServerContext* context,
                      const Request& request, Response* response) {
    if (!handler) return {grpc::StatusCode::UNIMPLEMENTED, "the test set no handler"};
    absl::MutexLock lock(&mutex_);
    grpc::Status status = handler(request, response);
    if (!status.ok() && !pushback_ms.empty()) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", pushback_ms);
    }
    return status;
  }

  struct Prediction final : v1::PredictionService::Service {
    explicit Prediction(FakeSigserve* f) : fake(f) {}
    grpc::Status Predict(grpc::ServerContext* context, const v1::PredictRequest* request,
                         v1::PredictResponse* response) override {
      return fake->Answer(fake->predict, context, *request, response);
    }
    FakeSigserve* fake;
  };

  struct Model final : v1::ModelService::Service {
    explicit Model(FakeSigserve* f) : fake(f) {}
    grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                            v1::ListModelsResponse* response) override {
      return fake->Answer(fake->list_models, context, *request, response);
    }
    grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                          v1::GetModelResponse* response) override {
      return fake->Answer(fake->get_model, context, *request, response);
    }
    grpc::Status ReloadModels(grpc::ServerContext* context, const v1::ReloadModelsRequest* request,
                              v1::ReloadModelsResponse* response) override {
      return fake->Answer(fake->reload, context, *request, response);
    }
    FakeSigserve* fake;
  };

  struct Training final : v1::TrainingService::Service {
    explicit Training(FakeSigserve* f) : fake(f) {}
    grpc::Status Train(grpc::ServerContext* context, grpc::ServerReader<v1::TrainRequest>* reader,
                       v1::TrainResponse* response) override {
      std::vector<v1::TrainRequest> messages;
      v1::TrainRequest message;
      while (reader->Read(&message)) messages.push_back(std::move(message));
      return fake->Answer(fake->train, context, messages, response);
    }
    grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                          grpc::ServerWriter<v1::JobEvent>* writer) override {
      std::vector<v1::JobEvent> events;
      const grpc::Status status = fake->Answer(fake->watch, context, *request, &events);
      for (const v1::JobEvent& event : events) writer->Write(event);
      // Writing a keep-alive event (number 0, which clients skip) fails once the watcher is gone.
      while (fake->watch_forever && writer->Write(v1::JobEvent())) {
      }
      return status;
    }
    grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                        v1::Job* response) override {
      return fake->Answer(fake->get_job, context, *request, response);
    }
    grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                          v1::ListJobsResponse* response) override {
      return fake->Answer(fake->list_jobs, context, *request, response);
    }
    grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                           v1::Job* response) override {
      return fake->Answer(fake->cancel_job, context, *request, response);
    }
    FakeSigserve* fake;
  };

  struct Health final : grpc::health::v1::Health::Service {
    explicit Health(FakeSigserve* f) : fake(f) {}
    grpc::Status Check(grpc::ServerContext* context,
                       const grpc::health::v1::HealthCheckRequest* request,
                       grpc::health::v1::HealthCheckResponse* response) override {
      return fake->Answer(fake->check, context, *request, response);
    }
    FakeSigserve* fake;
  };

  absl::Mutex mutex_;
  Prediction prediction_;
  Model model_;
  Training training_;
  Health health_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sigserve::testing_support
