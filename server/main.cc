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

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/repository/repository.h"
#include "server/batching/compute_pool.h"
#include "server/config/command_line.h"
#include "server/config/cpu_limit.h"
#include "server/config/server_options.h"
#include "server/config/thread_plan.h"
#include "server/metrics/exporter.h"
#include "server/metrics/http_endpoint.h"
#include "server/registry/model_registry.h"
#include "server/rpc/calls_in_progress.h"
#include "server/rpc/control_threads.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/router.h"
#include "server/services/statistics.h"
#include "server/services/training_service.h"
#include "server/training/job_runner.h"
#include "server/transport/grpc/decompression_limit.h"
#include "server/transport/grpc/graceful_stop.h"
#include "server/transport/grpc/grpc_transport.h"
#include "server/transport/grpc/tls.h"

namespace sigserve {
namespace {

constexpr char kVersion[] = SIGSERVE_VERSION;
constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;
// Loads wait for each other anyway.
constexpr size_t kLoadThreads = 2;
absl::StatusOr<ServerOptions> ReadOptions(const CommandLine& command_line, FileSystem* files) {
  ServerOptions options;
  const std::string& path = command_line.config_file();
  if (!path.empty()) {
    absl::StatusOr<std::string> text = files->ReadFile(path, kMaxConfigBytes);
    if (!text.ok()) return Annotate(text.status(), "--config");
    SIGSERVE_ASSIGN_OR_RETURN(options, ParseServerConfig(*text, path));
  }
  command_line.ApplyTo(&options);
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
  std::unique_ptr<HttpServer> http;
  if (options.listen.http_enabled()) {
    SIGSERVE_ASSIGN_OR_RETURN(
        http,
        StartHttpEndpoint(options.listen.http_address, &clock,
                          {.metrics = [&] { return metrics->Serialize(); },
                           .readiness =
                               [&] {
                                 if (draining)
                                   return absl::UnavailableError("the server is shutting down");
                                 return ready ? absl::OkStatus()
                                              : absl::UnavailableError("models are being loaded");
                               }}));
  }

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
  const ThreadPlan plan = PlanThreads(cpus, options.threads);
  transport_options.io_threads = plan.io_threads;
  transport_options.loop.spin = plan.spin;
  transport_options.executor = [&control](const std::function<void()>& work) { control.Run(work); };
  SchedulerOptions heavy_options;
  heavy_options.workers = plan.compute_threads;
  SIGSERVE_LOG(kInfo, cpus.ToString(), ": ", plan.ToString());
  ComputePool heavy(
      heavy_options, &clock,
      [&](const BatchTarget& target, DispatchReason reason) {
        statistics.RecordBatch(target.model, Name(reason));
      },
      [&](const BatchTarget& target, DropReason reason) {
        if (IsRefusal(reason)) statistics.RecordRefusal(target.model, Name(reason));
      });
  transport_options.loop.share_when_wanted = plan.io_share;
  transport_options.loop.processor_is_wanted = [&heavy, spare = plan.spare_processors] {
    return heavy.busy() > spare;
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
  std::printf("sigserve %s: gRPC on %s, %s, repository %s (%s%s)\n", kVersion,
              transport->bound_address().c_str(),
              http == nullptr ? "no HTTP" : ("HTTP on " + http->address()).c_str(),
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

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "sigserve: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> command_line = CommandLine::Parse({argv + 1, argv + argc});
  if (!command_line.ok()) return Fail(command_line.status());
  if (command_line->action() == CommandLine::Action::kHelp) {
    std::fputs(HelpText(kVersion).c_str(), stdout);
    return EXIT_SUCCESS;
  }
  if (command_line->action() == CommandLine::Action::kVersion) {
    std::printf("sigserve %s\n", kVersion);
    return EXIT_SUCCESS;
  }
  // Protobuf complains on standard error of what clients send; they get an answer that says so.
  google::protobuf::SetLogHandler(nullptr);
  // On in Debian's build of Abseil, which is for looking for bugs: 5 % of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  StopSignals signals;
  PosixFileSystem files;
  const absl::StatusOr<ServerOptions> options = ReadOptions(*command_line, &files);
  return Fail(options.ok() ? Serve(*options, &files, &signals) : options.status());
}

}  // namespace
}  // namespace sigserve

int main(int argc, char** argv) { return sigserve::Main(argc, argv); }
