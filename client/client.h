// The C++ client of a sigserve server: one channel, shared by all calls.
//
//   auto client = Client::Create("127.0.0.1:8001");
//   auto answer = (*client)->Predict({.name = "breast_cancer"}, rows, 30, {.decisions = true});
//
// Threads: every method may be called from any thread; it blocks the caller until the answer has
// arrived or the deadline has passed. Callbacks run on the caller's thread.
// Lifetime: values are passed by copy; spans are borrowed for the call. Destroy a Client only after
// its calls have returned.
// Errors: absl::Status with the server's code and message. ConnectFaultOf tells errors of the
// connection from errors of the server.
// Deadlines: every call ends after ClientOptions::deadline, connecting and retries included. Train
// has one second more for every 8 MiB of data. WatchJob has no deadline; it lasts as long as the
// job.
// Retries (retry.h): a call waits for the connection until its deadline. Answers of UNAVAILABLE and
// of RESOURCE_EXHAUSTED with a time to wait are repeated up to ClientOptions::max_attempts, for
// calls that may be repeated without harm: all but Train. Train is sent once, after the connection
// stands; if that connection breaks, the job may or may not exist (ListJobs tells). WatchJob
// resumes after the last event it has delivered.
// No HTTP proxy is used, even if the environment names one.
//
// Stable: the names and meanings in this header and in types.h, from one minor version to the next.
// Fields and enum values may be added: name fields when you initialize, and give every switch a
// default. Texts of error messages are not stable.
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

/// Paths of PEM files, each smaller than 4 MiB.
struct TlsOptions {
  /// Certificates of the authorities that may have signed the server's; empty = the system's.
  std::string ca_file = "";
  /// The client's own certificate and key, for servers that require them; both or neither.
  std::string certificate_file = "";
  std::string key_file = "";
  /// The name in the server's certificate, if it is not the address's host.
  std::string server_name = "";
};

struct ClientOptions {
  /// Of each call, connecting and retries included; more than 0.
  absl::Duration deadline = absl::Seconds(10);
  /// Of one call, the first included; 1 = never retry, not even connecting.
  int max_attempts = 3;
  /// The delay before retry n is initial_backoff * 2^(n-1), at most max_backoff, times 0.5 to 1.
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(2);
  /// Largest request and response, each.
  int64_t max_message_bytes = 64 << 20;
  /// Absent = plain text.
  std::optional<TlsOptions> tls = std::nullopt;
};

/// Time and randomness, replaced by tests. Called from any thread.
struct ClientEnvironment {
  std::function<absl::Time()> now = {};            // empty = absl::Now
  std::function<void(absl::Duration)> sleep = {};  // empty = absl::SleepFor
  std::function<double()> uniform = {};            // [0, 1); empty = pseudo-random
};

class Client {
 public:
  /// `address`: HOST:PORT or any gRPC target ("unix:/run/sigserve.sock"). The first call connects.
  /// INVALID_ARGUMENT names the option that is out of range or the file that cannot be used.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const std::string& address,
                                                        const ClientOptions& options = {},
                                                        ClientEnvironment environment = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& address() const;

  /// `rows`: row-major, a multiple of `columns` values, for a model with one FLOAT32 input.
  /// Probabilities come back as [rows, outputs]. INVALID_ARGUMENT without a call if the sizes do
  /// not match.
  absl::StatusOr<Prediction> Predict(const ModelRef& model, std::span<const float> rows,
                                     int64_t columns, const PredictOptions& options = {});
  /// Named tensors, for any model. A batchable model takes the batch in dimension 0.
  absl::StatusOr<Prediction> Predict(const ModelRef& model, const std::vector<Tensor>& inputs,
                                     const PredictOptions& options = {});

  /// Every model and version in the repository, with its state.
  absl::StatusOr<std::vector<ModelVersion>> ListModels();
  /// The signature of one version. NOT_FOUND names the models that exist.
  absl::StatusOr<ModelInfo> GetModel(const ModelRef& model);
  /// Makes the server read its repository again; returns when all changes are loaded. An empty name
  /// means all models.
  absl::StatusOr<std::vector<ModelVersion>> Reload(const std::string& name);
  /// `service`: a model's name, or empty for the whole server. NOT_FOUND for an unknown name.
  absl::StatusOr<Health> CheckHealth(const std::string& service);

  /// Sends the spec and the rows, in messages of at most 1 MiB. OK: the job is queued.
  absl::StatusOr<TrainReceipt> Train(const TrainSpec& spec, const TrainingData& data);
  /// Delivers every event after `after_event` (0 = from the start), in order and once, until the
  /// job has ended (OK). CANCELLED after `stop` was requested; the job itself continues.
  absl::Status WatchJob(const std::string& job_id, int64_t after_event,
                        const std::function<void(const JobEvent&)>& on_event,
                        const std::stop_token& stop = {});
  absl::StatusOr<Job> GetJob(const std::string& job_id);
  /// Newest first.
  absl::StatusOr<std::vector<Job>> ListJobs();
  /// Asks the job to stop. A job that has ended is returned unchanged.
  absl::StatusOr<Job> CancelJob(const std::string& job_id);

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Why a call did not reach a server.
enum class ConnectFault {
  kNone,                    // it did: the error is the server's
  kNoAnswer,                // no server listens, or the connection broke
  kServerUsesTls,           // and this client does not
  kServerUsesPlainText,     // and this client uses TLS
  kServerNotTrusted,        // its certificate, for this client's authorities and server name
  kServerWantsCertificate,  // of the client; none was given, or it was refused
};
ConnectFault ConnectFaultOf(const absl::Status& status);

/// ConnectFaultOf(status) != kNone.
bool IsUnreachable(const absl::Status& status);

}  // namespace sigserve::client
