#include "client/client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "client/connection_probe.h"
#include "client/convert.h"
#include "client/credentials.h"
#include "client/retry.h"
#include "client/status_macros.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "sigserve/v1/model.grpc.pb.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "sigserve/v1/training.grpc.pb.h"

namespace sigserve::client {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian");

constexpr char kUnreachablePayload[] = "sigserve.client/unreachable";
constexpr char kPushbackKey[] = "grpc-retry-pushback-ms";
constexpr int64_t kChunkBytes = 1 << 20;
constexpr int64_t kTrainBytesPerSecond = 8 << 20;

double RandomUniform() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

std::optional<std::string> Pushback(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto it = trailers.find(kPushbackKey);
  if (it == trailers.end()) return std::nullopt;
  return std::string(it->second.data(), it->second.size());
}

/// gRPC's "…: UNKNOWN:Failed to connect to remote host: Connection refused" in our words:
/// "connection refused".
std::string LastReason(const std::string& message) {
  const size_t colon = message.rfind(": ");
  std::string reason = colon == std::string::npos ? message : message.substr(colon + 2);
  if (!reason.empty()) reason[0] = absl::ascii_tolower(static_cast<unsigned char>(reason[0]));
  if (absl::StartsWith(reason, "socket closed")) return "the connection was closed";
  return reason;
}

std::string Bytes(std::span<const float> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

absl::Status CheckRows(absl::string_view what, size_t values, int64_t columns) {
  if (columns < 1) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", columns, " columns; at least 1"));
  }
  if (values % static_cast<size_t>(columns) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", values, " values are not whole rows of ", columns, " columns"));
  }
  return absl::OkStatus();
}

}  // namespace

class Client::Impl {
 public:
  Impl(std::string address, const ClientOptions& options,
       const std::shared_ptr<grpc::ChannelCredentials>& credentials, ClientEnvironment environment)
      : address_(std::move(address)),
        options_(options),
        environment_(std::move(environment)),
        channel_(MakeChannel(address_, options, credentials)),
        prediction_(v1::PredictionService::NewStub(channel_)),
        model_(v1::ModelService::NewStub(channel_)),
        training_(v1::TrainingService::NewStub(channel_)),
        health_(grpc::health::v1::Health::NewStub(channel_)) {}

  /// One call with retries; `call` is (context, response) -> grpc::Status.
  template <typename Response, typename Call>
  absl::StatusOr<Response> CallWithRetry(const Call& call) {
    const absl::Time deadline = environment_.now() + options_.deadline;
    grpc::Status last_failure;  // the last attempt that says why there is no connection
    for (int attempt = 1;; ++attempt) {
      grpc::ClientContext context;
      SetDeadline(deadline, &context);
      const bool was_connected = IsConnected();
      Response response;
      const grpc::Status status = call(&context, &response);
      if (status.ok()) return response;
      if (IsUnreachableNow(status)) last_failure = status;
      if (attempt == 1 && IsUnreachableNow(status) && WaitingIsFutile()) return ToStatus(status);
      // The channel may have become ready after the call had failed.
      const bool unreachable = !was_connected || !IsConnected();
      if (!SleepBeforeRetry(attempt, status, context, unreachable, deadline - environment_.now())) {
        // An attempt that the deadline cut short does not know the reason.
        const bool cut_short =
            status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && !IsConnected();
        return ToStatus(cut_short && !last_failure.ok() ? last_failure : status);
      }
    }
  }

  /// False when the error is to be returned.
  bool SleepBeforeRetry(int attempt, const grpc::Status& status, const grpc::ClientContext& context,
                        bool unreachable, absl::Duration remaining) {
    const auto delay = DelayBeforeRetry(
        {.max_attempts = options_.max_attempts,
         .initial_backoff = options_.initial_backoff,
         .max_backoff = options_.max_backoff},
        {.number = attempt,
         .code = static_cast<absl::StatusCode>(status.error_code()),
         .unreachable = unreachable && status.error_code() == grpc::StatusCode::UNAVAILABLE,
         .pushback_ms = Pushback(context),
         .remaining = remaining},
        environment_.uniform());
    if (!delay) return false;
    environment_.sleep(*delay);
    return true;
  }

  bool IsConnected() { return channel_->GetState(false) == GRPC_CHANNEL_READY; }

  /// A channel that is not READY after UNAVAILABLE: no server gave that answer.
  bool IsUnreachableNow(const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::UNAVAILABLE && !IsConnected();
  }

  absl::Status ToStatus(const grpc::Status& status) {
    if (status.ok()) return absl::OkStatus();
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    const bool may_be_unreachable =
        code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded;
    if (may_be_unreachable && channel_->GetState(false) != GRPC_CHANNEL_READY) {
      return Unreachable(code, status);
    }
    return absl::Status(code, status.error_message());
  }

  /// A server listens, but the two do not agree on TLS: no retry changes that.
  bool WaitingIsFutile() {
    return ProbeConnection(address_, options_.tls, ProbeTimeout()).has_value();
  }

  absl::Duration ProbeTimeout() const { return std::min(absl::Seconds(1), options_.deadline); }

  absl::Status Unreachable(absl::StatusCode code, const grpc::Status& status) {
    const Diagnosis diagnosis =
        ProbeConnection(address_, options_.tls, ProbeTimeout()).value_or(Diagnosis{});
    std::string text = absl::StrCat("cannot reach ", address_);
    if (!diagnosis.text.empty()) {
      absl::StrAppend(&text, ": ", diagnosis.text);
    } else {
      if (options_.max_attempts > 1) {
        absl::StrAppend(&text, " within ", absl::FormatDuration(options_.deadline));
      }
      const std::string why =
          code == absl::StatusCode::kUnavailable ? LastReason(status.error_message()) : "";
      if (!why.empty()) absl::StrAppend(&text, ": ", why);
    }
    absl::Status unreachable(code, text);
    unreachable.SetPayload(kUnreachablePayload,
                           absl::Cord(absl::StrCat(static_cast<int>(diagnosis.fault))));
    return unreachable;
  }

  static void SetDeadline(absl::Time deadline, grpc::ClientContext* context) {
    if (deadline != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline));
  }

  absl::StatusOr<TrainReceipt> Train(const TrainSpec& spec, const TrainingData& data);
  absl::Status WatchJob(const std::string& job_id, int64_t after_event,
                        const std::function<void(const JobEvent&)>& on_event,
                        const std::stop_token& stop);

  const std::string& address() const { return address_; }
  v1::PredictionService::Stub& prediction() { return *prediction_; }
  v1::ModelService::Stub& model() { return *model_; }
  v1::TrainingService::Stub& training() { return *training_; }
  grpc::health::v1::Health::Stub& health() { return *health_; }

 private:
  static std::shared_ptr<grpc::Channel> MakeChannel(
      const std::string& address, const ClientOptions& options,
      const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const int max_message = static_cast<int>(
        std::min<int64_t>(options.max_message_bytes, std::numeric_limits<int>::max()));
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(max_message);
    arguments.SetMaxSendMessageSize(max_message);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // As short as the retries' back-off: within gRPC's default of 1 s every retry would fail
    // without a new attempt to connect.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
    // Detects within minutes that a watched server's machine has vanished. More frequent pings than
    // one in 5 minutes make a server with gRPC's defaults close the connection ("too many pings").
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 320'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
    if (options.tls.has_value() && !options.tls->server_name.empty()) {
      arguments.SetSslTargetNameOverride(options.tls->server_name);
    }
    return grpc::CreateCustomChannel(address, credentials, arguments);
  }

  const std::string address_;
  const ClientOptions options_;
  const ClientEnvironment environment_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::PredictionService::Stub> prediction_;
  const std::unique_ptr<v1::ModelService::Stub> model_;
  const std::unique_ptr<v1::TrainingService::Stub> training_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

absl::StatusOr<TrainReceipt> Client::Impl::Train(const TrainSpec& spec, const TrainingData& data) {
  const int64_t row_bytes = (data.feature_count + data.label_count) * int64_t{sizeof(float)};
  const int64_t chunk_rows = std::max<int64_t>(1, kChunkBytes / row_bytes);
  const int64_t rows = static_cast<int64_t>(data.features.size()) / data.feature_count;

  grpc::ClientContext context;
  context.set_wait_for_ready(true);  // sent once, but only over a connection that stands
  SetDeadline(
      absl::Now() + options_.deadline + absl::Seconds(rows * row_bytes / kTrainBytesPerSecond),
      &context);
  v1::TrainResponse response;
  const auto stream = training_->Train(&context, &response);
  v1::TrainRequest message;
  *message.mutable_spec() = ToProto(spec, data.feature_count, data.label_count);
  bool open = stream->Write(message);
  for (int64_t row = 0; open && row < rows; row += chunk_rows) {
    const int64_t count = std::min(chunk_rows, rows - row);
    v1::TrainChunk* chunk = message.mutable_chunk();
    chunk->set_features(
        Bytes(data.features.subspan(row * data.feature_count, count * data.feature_count)));
    chunk->set_labels(Bytes(data.labels.subspan(row * data.label_count, count * data.label_count)));
    open = stream->Write(message);
  }
  if (open) stream->WritesDone();
  // A refused Write means that the server has already answered; Finish returns that answer.
  const grpc::Status status = stream->Finish();
  if (!status.ok()) return ToStatus(status);
  return TrainReceipt{.job_id = response.job_id(), .rows = response.rows()};
}

absl::Status Client::Impl::WatchJob(const std::string& job_id, int64_t after_event,
                                    const std::function<void(const JobEvent&)>& on_event,
                                    const std::stop_token& stop) {
  absl::Time give_up_at = absl::InfiniteFuture();  // of connecting again
  for (int attempt = 1;; ++attempt) {
    if (stop.stop_requested()) return absl::CancelledError("watching was stopped");
    grpc::ClientContext context;
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    v1::WatchJobRequest request;
    request.set_job_id(job_id);
    request.set_after_event(after_event);
    const auto stream = training_->WatchJob(&context, request);
    v1::JobEvent event;
    while (stream->Read(&event)) {
      if (event.number() <= after_event) continue;  // already delivered
      after_event = event.number();
      attempt = 1;  // progress resets the count of attempts
      on_event(FromProto(event));
    }
    const grpc::Status status = stream->Finish();
    if (stop.stop_requested()) continue;
    if (status.ok()) return absl::OkStatus();
    const bool unreachable = IsUnreachableNow(status);
    if (!unreachable) give_up_at = absl::InfiniteFuture();
    if (unreachable && give_up_at == absl::InfiniteFuture()) {
      give_up_at = environment_.now() + options_.deadline;
    }
    if (!SleepBeforeRetry(attempt, status, context, unreachable, give_up_at - environment_.now())) {
      return ToStatus(status);
    }
  }
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const std::string& address,
                                                       const ClientOptions& options,
                                                       ClientEnvironment environment) {
  if (address.empty()) return absl::InvalidArgumentError("the address is empty; it is HOST:PORT");
  if (options.deadline <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("deadline must be more than 0 s");
  }
  if (options.max_attempts < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_attempts is ", options.max_attempts, "; at least 1"));
  }
  if (options.max_message_bytes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_message_bytes is ", options.max_message_bytes, "; at least 1"));
  }
  const auto credentials = MakeCredentials(options.tls);
  if (!credentials.ok()) return credentials.status();
  if (!environment.sleep) environment.sleep = absl::SleepFor;
  if (!environment.now) environment.now = absl::Now;
  if (!environment.uniform) environment.uniform = RandomUniform;
  return std::unique_ptr<Client>(
      new Client(std::make_unique<Impl>(address, options, *credentials, std::move(environment))));
}

const std::string& Client::address() const { return impl_->address(); }

absl::StatusOr<Prediction> Client::Predict(const ModelRef& model, std::span<const float> rows,
                                           int64_t columns, const PredictOptions& options) {
  CLIENT_RETURN_IF_ERROR(CheckRows("rows", rows.size(), columns));
  // A tensor with a shape, not the request's plain `matrix`: 30 rows of 29 columns must not pass
  // for 29 rows of 30.
  Tensor tensor{.name = {},
                .dtype = DataType::kFloat32,
                .shape = {static_cast<int64_t>(rows.size()) / columns, columns},
                .data = Bytes(rows)};
  return Predict(model, std::vector<Tensor>{std::move(tensor)}, options);
}

absl::StatusOr<Prediction> Client::Predict(const ModelRef& model, const std::vector<Tensor>& inputs,
                                           const PredictOptions& options) {
  v1::PredictRequest request;
  *request.mutable_model() = ToProto(model);
  for (const Tensor& input : inputs) *request.add_inputs() = ToProto(input);
  SetOptions(options, &request);
  CLIENT_ASSIGN_OR_RETURN(auto response,
                          impl_->CallWithRetry<v1::PredictResponse>([&](auto* context, auto* out) {
                            return impl_->prediction().Predict(context, request, out);
                          }));
  return FromProto(std::move(response));
}

absl::StatusOr<std::vector<ModelVersion>> Client::ListModels() {
  CLIENT_ASSIGN_OR_RETURN(
      const auto response,
      impl_->CallWithRetry<v1::ListModelsResponse>(
          [&](auto* context, auto* out) { return impl_->model().ListModels(context, {}, out); }));
  std::vector<ModelVersion> models;
  for (const auto& model : response.models()) models.push_back(FromProto(model));
  return models;
}

absl::StatusOr<ModelInfo> Client::GetModel(const ModelRef& model) {
  v1::GetModelRequest request;
  *request.mutable_model() = ToProto(model);
  CLIENT_ASSIGN_OR_RETURN(const auto response,
                          impl_->CallWithRetry<v1::GetModelResponse>([&](auto* context, auto* out) {
                            return impl_->model().GetModel(context, request, out);
                          }));
  return FromProto(response);
}

absl::StatusOr<std::vector<ModelVersion>> Client::Reload(const std::string& name) {
  v1::ReloadModelsRequest request;
  request.set_name(name);
  CLIENT_ASSIGN_OR_RETURN(
      const auto response,
      impl_->CallWithRetry<v1::ReloadModelsResponse>([&](auto* context, auto* out) {
        return impl_->model().ReloadModels(context, request, out);
      }));
  std::vector<ModelVersion> models;
  for (const auto& model : response.models()) models.push_back(FromProto(model));
  return models;
}

absl::StatusOr<Health> Client::CheckHealth(const std::string& service) {
  using grpc::health::v1::HealthCheckResponse;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  CLIENT_ASSIGN_OR_RETURN(const auto response,
                          impl_->CallWithRetry<HealthCheckResponse>([&](auto* context, auto* out) {
                            return impl_->health().Check(context, request, out);
                          }));
  switch (response.status()) {
    case HealthCheckResponse::SERVING:
      return Health::kServing;
    case HealthCheckResponse::NOT_SERVING:
      return Health::kNotServing;
    default:
      return Health::kUnknown;
  }
}

absl::StatusOr<TrainReceipt> Client::Train(const TrainSpec& spec, const TrainingData& data) {
  CLIENT_RETURN_IF_ERROR(CheckRows("features", data.features.size(), data.feature_count));
  CLIENT_RETURN_IF_ERROR(CheckRows("labels", data.labels.size(), data.label_count));
  const size_t rows = data.features.size() / data.feature_count;
  const size_t label_rows = data.labels.size() / data.label_count;
  if (rows != label_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat(rows, " rows of features but ", label_rows, " rows of labels"));
  }
  return impl_->Train(spec, data);
}

absl::Status Client::WatchJob(const std::string& job_id, int64_t after_event,
                              const std::function<void(const JobEvent&)>& on_event,
                              const std::stop_token& stop) {
  return impl_->WatchJob(job_id, after_event, on_event, stop);
}

absl::StatusOr<Job> Client::GetJob(const std::string& job_id) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  CLIENT_ASSIGN_OR_RETURN(const auto response,
                          impl_->CallWithRetry<v1::Job>([&](auto* context, auto* out) {
                            return impl_->training().GetJob(context, request, out);
                          }));
  return FromProto(response);
}

absl::StatusOr<std::vector<Job>> Client::ListJobs() {
  CLIENT_ASSIGN_OR_RETURN(const auto response,
                          impl_->CallWithRetry<v1::ListJobsResponse>([&](auto* context, auto* out) {
                            return impl_->training().ListJobs(context, {}, out);
                          }));
  std::vector<Job> jobs;
  for (const auto& job : response.jobs()) jobs.push_back(FromProto(job));
  return jobs;
}

absl::StatusOr<Job> Client::CancelJob(const std::string& job_id) {
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  CLIENT_ASSIGN_OR_RETURN(const auto response,
                          impl_->CallWithRetry<v1::Job>([&](auto* context, auto* out) {
                            return impl_->training().CancelJob(context, request, out);
                          }));
  return FromProto(response);
}

ConnectFault ConnectFaultOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kUnreachablePayload);
  int fault = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &fault)) {
    return ConnectFault::kNone;
  }
  return static_cast<ConnectFault>(fault);
}

bool IsUnreachable(const absl::Status& status) {
  return ConnectFaultOf(status) != ConnectFault::kNone;
}

}  // namespace sigserve::client
