// A sigserve server, as a C++ object: one channel, shared by all calls.
//
//   auto client = Client::Create("127.0.0.1:8001");
//   auto answer = (*client)->Predict({.name = "breast_cancer"}, rows, 30, {.decisions = true});
//
// Thread-safe; every call blocks its caller until it is answered or its deadline has passed. Values
// go in and out by copy; spans are borrowed for the call. Errors carry the server's code and
// message; IsUnreachable tells "nobody answered" from "the server said no".
//
// Deadlines: every call has ClientOptions::deadline, retries and waits included. Train adds one
// second for every 8 MiB of data. WatchJob has none: it lasts as long as the job.
//
// Retries (retry.h has the rule), only where asking twice is the same as asking once: Predict,
// ListModels, GetModel, Reload, CheckHealth, GetJob, ListJobs, and CancelJob (ended jobs are left
// as they are). Train is sent once: after a broken connection the job may or may not exist
// (ListJobs tells). WatchJob resumes after the last event it has handed over.
//
// No HTTP proxy is used, even when the environment names one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/types.h"

namespace sigserve::client {

/// PEM files, smaller than 4 MiB.
struct TlsOptions {
  /// Those that sign the server's certificate; empty = the system's.
  std::string ca_file = "";
  /// The client's own, for servers that ask for it; both or neither.
  std::string certificate_file = "";
  std::string key_file = "";
  /// The name in the server's certificate, where it is not the address's host.
  std::string server_name = "";
};

struct ClientOptions {
  absl::Duration deadline = absl::Seconds(10);
  int max_attempts = 3;  // 1 = never retry
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(2);
  /// Largest request and response.
  int64_t max_message_bytes = 64 << 20;
  /// Absent = plain text.
  std::optional<TlsOptions> tls = std::nullopt;
};

/// Waiting and chance, replaced by tests. Both are called from any thread.
struct ClientEnvironment {
  std::function<void(absl::Duration)> sleep;  // empty = absl::SleepFor
  std::function<double()> uniform;            // [0, 1); empty = a random one
};

class Client {
 public:
  /// `address`: HOST:PORT, or any gRPC target ("unix:/run/sigserve.sock"). Does not connect yet.
  /// INVALID_ARGUMENT names the bad option, or the file that cannot be used.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const std::string& address,
                                                        const ClientOptions& options = {},
                                                        ClientEnvironment environment = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& address() const;

  /// Row-major rows of `columns` values, for a model with one FLOAT32 input.
  absl::StatusOr<Prediction> Predict(const ModelRef& model, std::span<const float> rows,
                                     int64_t columns, const PredictOptions& options = {});
  /// Named tensors, for any model.
  absl::StatusOr<Prediction> Predict(const ModelRef& model, const std::vector<Tensor>& inputs,
                                     const PredictOptions& options = {});

  absl::StatusOr<std::vector<ModelVersion>> ListModels();
  absl::StatusOr<ModelInfo> GetModel(const ModelRef& model);
  /// Empty name = all models.
  absl::StatusOr<std::vector<ModelVersion>> Reload(const std::string& name);
  /// A model's name, or empty for the whole server. NOT_FOUND for a name it does not know.
  absl::StatusOr<Health> CheckHealth(const std::string& service);

  /// Sends the spec and the rows, in messages of at most 1 MiB. OK: the job is queued.
  absl::StatusOr<TrainReceipt> Train(const TrainSpec& spec, const TrainingData& data);
  /// Hands over every event after `after_event`, in order, each once, until the job has ended (OK).
  /// CANCELLED once `stop` was requested; the job goes on.
  absl::Status WatchJob(const std::string& job_id, int64_t after_event,
                        const std::function<void(const JobEvent&)>& on_event,
                        const std::stop_token& stop = {});
  absl::StatusOr<Job> GetJob(const std::string& job_id);
  absl::StatusOr<std::vector<Job>> ListJobs();
  absl::StatusOr<Job> CancelJob(const std::string& job_id);

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// True when an error came from not reaching the server rather than from the server.
bool IsUnreachable(const absl::Status& status);

}  // namespace sigserve::client
