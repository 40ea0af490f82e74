// sigserve: builds the parts, joins them, and stops them in order. The only file that reads flags.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/repository/repository.h"
#include "server/batching/compute_pool.h"
#include "server/config/cpu_limit.h"
#include "server/config/server_options.h"
#include "server/metrics/exporter.h"
#include "server/metrics/http_endpoint.h"
#include "server/registry/model_registry.h"
#include "server/services/calls_in_progress.h"
#include "server/services/control_threads.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/router.h"
#include "server/services/statistics.h"
#include "server/services/training_service.h"
#include "server/training/job_runner.h"
#include "server/transport/decompression_limit.h"
#include "server/transport/graceful_stop.h"
#include "server/transport/grpc_transport.h"
#include "server/transport/tls.h"

ABSL_FLAG(absl::optional<std::string>, repository, absl::nullopt, "directory of models");
ABSL_FLAG(absl::optional<std::string>, grpc_address, absl::nullopt, "HOST:PORT for gRPC");
ABSL_FLAG(absl::optional<std::string>, http_address, absl::nullopt, "HOST:PORT for HTTP");
ABSL_FLAG(absl::optional<std::string>, config, absl::nullopt, "settings as a textproto file");
ABSL_FLAG(absl::optional<int64_t>, max_message_bytes, absl::nullopt, "largest message");
ABSL_FLAG(absl::optional<int64_t>, drain_seconds, absl::nullopt, "time to finish after SIGTERM");
ABSL_FLAG(absl::optional<int64_t>, repository_poll_seconds, absl::nullopt, "look for new versions");
ABSL_FLAG(absl::optional<std::string>, tls_certificate, absl::nullopt, "PEM file: TLS for gRPC");
ABSL_FLAG(absl::optional<std::string>, tls_key, absl::nullopt, "PEM file: the certificate's key");
ABSL_FLAG(absl::optional<std::string>, tls_client_ca, absl::nullopt, "PEM file: clients' signers");

namespace sigserve {
namespace {

constexpr char kVersion[] = SIGSERVE_VERSION;
constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;
// gRPC's poller wakes a second thread for what a first one reads, so that a single call takes three
// times as long with two, and both together bear 1.5 times as many.
constexpr int kProcessorsPerIoThread = 4;
// Loads wait for each other anyway.
constexpr size_t kLoadThreads = 2;
// A client that sleeps until its answer comes takes some 80 us to send its next call. To go to
// sleep and wake up meanwhile costs no less of the processor: some 60 us a call.
constexpr absl::Duration kSpin = absl::Microseconds(120);

constexpr char kHelp[] =
    R"(sigserve serves trained classifiers over gRPC.

  sigserve --repository=DIR [--grpc_address=HOST:PORT] [--http_address=HOST:PORT] [--config=FILE]

  --repository=DIR              models: DIR/<model>/<version>/model.onnx (or model.textproto and
                                its weights) and, optional, DIR/<model>/config.pbtxt
  --grpc_address=HOST:PORT      predictions, models, training, health, reflection
                                (default 0.0.0.0:8001; port 0 picks a free one and prints it;
                                or unix:PATH)
  --http_address=HOST:PORT      /metrics, /healthz, /readyz (default 0.0.0.0:8002)
  --config=FILE                 the same settings and more as a textproto
                                (proto/sigserve/v1/server_config.proto); flags win
  --max_message_bytes=N         largest request and response (default 67108864)
  --drain_seconds=N             time for calls in flight to finish after SIGTERM (default 10);
                                a second signal ends the server at once
  --repository_poll_seconds=N   look for new versions every N seconds (default 0: on request only)
  --tls_certificate=FILE        TLS for gRPC: the server's certificate, PEM; with
  --tls_key=FILE                its key, without a passphrase
  --tls_client_ca=FILE          clients must show a certificate signed by one of these
  --version, --help

Example:
  sigserve --repository=deploy/examples/repository
)";

template <typename T>
std::optional<T> Given(const absl::optional<T>& flag) {
  return flag.has_value() ? std::optional<T>(*flag) : std::nullopt;
}

absl::StatusOr<ServerOptions> ReadOptions(FileSystem* files) {
  ServerOptions options;
  const absl::optional<std::string> path = absl::GetFlag(FLAGS_config);
  if (path.has_value()) {
    absl::StatusOr<std::string> text = files->ReadFile(*path, kMaxConfigBytes);
    if (!text.ok()) return Annotate(text.status(), "--config");
    SIGSERVE_ASSIGN_OR_RETURN(options, ParseServerConfig(*text, *path));
  }
  ApplyFlags({.repository = Given(absl::GetFlag(FLAGS_repository)),
              .grpc_address = Given(absl::GetFlag(FLAGS_grpc_address)),
              .http_address = Given(absl::GetFlag(FLAGS_http_address)),
              .max_message_bytes = Given(absl::GetFlag(FLAGS_max_message_bytes)),
              .drain_seconds = Given(absl::GetFlag(FLAGS_drain_seconds)),
              .repository_poll_seconds = Given(absl::GetFlag(FLAGS_repository_poll_seconds)),
              .tls = {.certificate = Given(absl::GetFlag(FLAGS_tls_certificate)),
                      .key = Given(absl::GetFlag(FLAGS_tls_key)),
                      .client_ca = Given(absl::GetFlag(FLAGS_tls_client_ca))}},
             &options);
  SIGSERVE_RETURN_IF_ERROR(Validate(options));
  return options;
}

// SIGTERM and SIGINT: blocked from before the first thread, so that only Wait() sees them. Whoever
// does not wait (loading, draining) is ended at once. A handler, not the default action: a
// container's first process is spared the default.
class StopSignals {
 public:
  StopSignals() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, nullptr);
    struct sigaction end = {};
    end.sa_handler = [](int signal) { _exit(128 + signal); };
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT}) {
      sigaction(signal, &end, nullptr);
      sigaddset(&set_, signal);
    }
    Block();
  }
  void Block() { pthread_sigmask(SIG_BLOCK, &set_, nullptr); }
  void Unblock() { pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }
  int Wait() {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
  }

 private:
  sigset_t set_;
};

// Looks for new versions now and then, on a thread of its own.
class RepositoryPoll {
 public:
  RepositoryPoll(ModelRegistry* registry, absl::Duration every) {
    if (every <= absl::ZeroDuration()) return;
    thread_ = std::thread([this, registry, every] {
      while (!stop_.WaitForNotificationWithTimeout(every)) {
        try {
          const absl::Status status = registry->ReloadAll();
          if (!status.ok()) SIGSERVE_LOG(kWarning, "repository: ", status.message());
        } catch (const std::exception& error) {  // out of memory: the next round may do
          SIGSERVE_LOG(kError, "repository: ", error.what());
        }
      }
    });
  }
  ~RepositoryPoll() {
    stop_.Notify();
    if (thread_.joinable()) thread_.join();
  }
  RepositoryPoll(const RepositoryPoll&) = delete;
  RepositoryPoll& operator=(const RepositoryPoll&) = delete;

 private:
  absl::Notification stop_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<JobRunner>> StartTraining(const TrainingOptions& options,
                                                         JobRunnerParts parts) {
  if (options.disabled) return absl::UnimplementedError("training is disabled (config: training)");
  return JobRunner::Create(options, std::move(parts));
}

std::string CountModels(const ModelRegistry& registry) {
  std::map<std::string, bool> ready;
  int failed = 0;
  for (const VersionStatus& version : registry.List()) {
    ready[version.model] |= version.state == VersionState::kReady;
  }
  for (const auto& [model, is_ready] : ready) failed += is_ready ? 0 : 1;
  const int serving = static_cast<int>(ready.size()) - failed;
  return absl::StrCat(serving, serving == 1 ? " model" : " models", " ready, ", failed, " failed");
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const TlsOptions& tls,
                                                                     FileSystem* files) {
  if (!tls.enabled()) return grpc::InsecureServerCredentials();
  return TlsCredentials(
      {.certificate = tls.certificate_file, .key = tls.key_file, .client_ca = tls.client_ca_file},
      files);
}

absl::Status Serve(const ServerOptions& options, FileSystem* files, StopSignals* signals) {
  RealClock clock;
  const std::unique_ptr<MetricsExporter> metrics = MetricsExporter::Create(kVersion);
  HealthService health;
  std::atomic<bool> ready = false;
  std::atomic<bool> draining = false;

  SIGSERVE_RETURN_IF_ERROR(Annotate(files->List(options.repository).status(), "repository"));
  SIGSERVE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::ServerCredentials> credentials,
                            Credentials(options.listen.tls, files));

  // HTTP first: probes are answered while models load.
  SIGSERVE_ASSIGN_OR_RETURN(
      std::unique_ptr<HttpServer> http,
      StartHttpEndpoint(options.listen.http_address, &clock,
                        {.metrics = [&] { return metrics->Serialize(); },
                         .readiness =
                             [&] {
                               if (draining)
                                 return absl::UnavailableError("the server is shutting down");
                               return ready ? absl::OkStatus()
                                            : absl::UnavailableError("models are being loaded");
                             }}));

  Repository repository(files, options.repository);
  const std::unique_ptr<ModelRegistry> registry = ModelRegistry::Create(
      &repository, files, &clock, [&](const std::string& model, bool is_ready) {
        metrics->SetModelReady(model, is_ready);
        health.Set(model, is_ready);
      });
  signals->Unblock();
  SIGSERVE_RETURN_IF_ERROR(Annotate(registry->ReloadAll(), "repository"));
  signals->Block();

  JobRunnerParts parts;
  parts.repository = &repository;
  parts.registry = registry.get();
  parts.files = files;
  parts.clock = &clock;
  const absl::StatusOr<std::unique_ptr<JobRunner>> runner =
      StartTraining(options.training, std::move(parts));
  if (!runner.ok()) SIGSERVE_LOG(kInfo, "no training: ", runner.status().message());

  StatisticsRecorder statistics(metrics.get(), &clock);
  CallsInProgress loads;
  ModelService model_service(registry.get(), &loads);
  InferenceService inference_service(registry.get(), &statistics, &loads,
                                     {.name = options.server_name,
                                      .version = kVersion,
                                      .ready = [&] { return ready && !draining; }});
  TrainingService training_service(
      runner.ok() ? absl::StatusOr<JobRunner*>(runner->get()) : runner.status(), &clock,
      options.training.upload_stall);

  LimitDecompression(options.listen.max_message_bytes);
  std::vector<ServiceMethod> methods = health.Methods();
  for (const auto& more :
       {model_service.Methods(), inference_service.Methods(), training_service.Methods()}) {
    methods.insert(methods.end(), more.begin(), more.end());
  }
  ReflectionService reflection(Router::Methods(methods));
  methods.push_back(reflection.Method());
  for (const std::string& service : reflection.services()) health.Set(service, true);
  ControlThreads control;
  ControlThreads loading(kLoadThreads);
  const CpuLimit cpus = FindCpuLimit();
  TransportOptions transport_options;
  transport_options.listener.address = options.listen.grpc_address;
  const ConnectionOptions& connections = options.listen.connections;
  transport_options.listener.max_connections = static_cast<size_t>(connections.max_connections);
  transport_options.listener.share_port = connections.share_port;
  transport_options.max_calls_per_connection = static_cast<int>(connections.max_calls);
  transport_options.max_connection_age = connections.max_age;
  transport_options.age_grace = options.listen.drain;
  transport_options.io_threads = options.listen.io_threads > 0
                                     ? static_cast<int>(options.listen.io_threads)
                                     : std::max(1, cpus.threads() / kProcessorsPerIoThread);
  // Several would spin for the same events, and a spin must not use up a quota.
  if (options.listen.spin && transport_options.io_threads == 1 && cpus.quota.value_or(1) >= 1) {
    transport_options.loop.spin = kSpin;
  }
  transport_options.executor = [&control](const std::function<void()>& work) { control.Run(work); };
  SchedulerOptions heavy_options;
  heavy_options.workers =
      options.compute_threads > 0 ? static_cast<int>(options.compute_threads) : cpus.threads();
  SIGSERVE_LOG(kInfo, cpus.ToString(), ": ", transport_options.io_threads,
               " I/O threads for light batches, ", heavy_options.workers,
               " compute threads for heavy ones");
  ComputePool heavy(
      heavy_options, &clock,
      [&](const BatchTarget& target, DispatchReason reason) {
        statistics.RecordBatch(target.model, Name(reason));
      },
      [&](const BatchTarget& target, DropReason reason) {
        if (IsRefusal(reason)) statistics.RecordRefusal(target.model, Name(reason));
      });
  // Half of the processors' time is for heavy batches if they need it.
  transport_options.loop.share_when_wanted =
      std::min<double>(cpus.processors, cpus.quota.value_or(cpus.processors)) /
      (2.0 * transport_options.io_threads);
  transport_options.loop.processor_is_wanted =
      [&heavy, free = std::max(0, cpus.threads() - transport_options.io_threads)] {
        return heavy.busy() > free;
      };
  std::vector<const PredictionFrontend*> frontends;
  absl::StatusOr<std::unique_ptr<GrpcTransport>> created =
      GrpcTransport::Create(transport_options, Router::Methods(methods), [&](int) {
        auto frontend = std::make_unique<PredictionFrontend>(
            registry.get(), &statistics, &clock, options.listen.max_message_bytes, &heavy);
        frontends.push_back(frontend.get());
        return std::make_unique<Router>(std::move(frontend), &methods, &control, &loading);
      });
  if (!created.ok()) {
    return Annotate(created.status(),
                    absl::StrCat("cannot listen for gRPC on '", options.listen.grpc_address, "'"));
  }
  const std::unique_ptr<GrpcTransport> transport = *std::move(created);
  grpc::ServerBuilder builder;
  transport->AddTo(&builder, std::move(credentials));
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.listen.max_message_bytes));
  builder.SetMaxSendMessageSize(-1);  // answers are checked before they are built
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC does not start; its log says why");
  transport->Start();
  metrics->ShowLoad([&] {
    ServerLoad load;
    for (const PredictionFrontend* frontend : frontends) {
      load.requests_in_flight += frontend->requests_in_flight();
    }
    for (Scheduler::Queue& queue : heavy.queues()) {
      load.queues.push_back({std::move(queue.model), queue.rows, queue.time});
    }
    return load;
  });
  ready = true;
  std::printf("sigserve %s: gRPC on %s, HTTP on %s, repository %s (%s%s)\n", kVersion,
              transport->bound_address().c_str(), http->address().c_str(),
              options.repository.c_str(), CountModels(*registry).c_str(),
              options.listen.tls.enabled() ? "; gRPC with TLS" : "");
  std::fflush(stdout);

  int signal = 0;
  {
    RepositoryPoll poll(registry.get(), options.repository_poll);
    signal = signals->Wait();
    signals->Unblock();
    SIGSERVE_LOG(kInfo, strsignal(signal), ": draining for at most ",
                 absl::FormatDuration(options.listen.drain));
    // Before the poll ends, which may be in the middle of loading a model.
    draining = true;
    health.Shutdown();
  }
  // No longer than the drain: a job that is left behind is FAILED at the next start.
  std::atomic<bool> training = true;
  std::thread training_stop([&] {
    if (runner.ok()) (*runner)->Stop(options.listen.drain);
    training = false;
  });
  training_service.EndUploads();
  StopGracefully(
      server.get(), transport.get(), [&] { return training || loads.count() > 0; },
      options.listen.drain);
  training_stop.join();
  SIGSERVE_LOG(kInfo, "stopped");
  // Without destructors: nothing is left to be saved.
  std::_Exit(EXIT_SUCCESS);
}

int Main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(kHelp, stdout);
      return EXIT_SUCCESS;
    }
  }
  absl::FlagsUsageConfig usage;
  usage.version_string = [] { return absl::StrCat("sigserve ", kVersion, "\n"); };
  absl::SetFlagsUsageConfig(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    std::fprintf(stderr, "sigserve: unexpected argument '%s'; see sigserve --help\n", rest[1]);
    return EXIT_FAILURE;
  }
  // Protobuf complains on standard error of what clients send; they get an answer that says so.
  google::protobuf::SetLogHandler(nullptr);
  // On in Debian's build of Abseil, which is for looking for bugs: 5 % of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  StopSignals signals;
  PosixFileSystem files;
  const absl::StatusOr<ServerOptions> options = ReadOptions(&files);
  const absl::Status status = options.ok() ? Serve(*options, &files, &signals) : options.status();
  std::fprintf(stderr, "sigserve: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace sigserve

int main(int argc, char** argv) { return sigserve::Main(argc, argv); }
