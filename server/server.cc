#include "server/server.h"

#include <google/protobuf/stubs/logging.h>

#include <atomic>
#include <csignal>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/repository/repository.h"
#include "server/batching/compute_pool.h"
#include "server/config/cpu_limit.h"
#include "server/config/thread_plan.h"
#include "server/metrics/exporter.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/statistics.h"
#include "server/predict/prediction_frontend.h"
#include "server/registry/model_registry.h"
#include "server/repository_watch.h"
#include "server/rpc/calls_in_progress.h"
#include "server/rpc/control_threads.h"
#include "server/rpc/dispatcher.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/training_service.h"
#include "server/training/job_runner.h"
#include "server/transport/grpc/grpc_engine.h"
#include "server/transport/grpc/grpc_log.h"
#include "server/transport/transport.h"

namespace sigserve {
namespace {

// Loads are serialized by the registry: one that waits must not keep others from being answered.
constexpr size_t kLoadThreads = 2;

enum class State { kLoading, kReady, kStopping };

TransportOptions TransportOptionsOf(const ListenOptions& listen, const ThreadPlan& plan) {
  TransportOptions result;
  result.listener.address = listen.grpc_address;
  result.listener.max_connections = static_cast<size_t>(listen.connections.max_connections);
  result.listener.share_port = listen.connections.share_port;
  result.max_message_bytes = listen.max_message_bytes;
  result.max_calls_per_connection = static_cast<int>(listen.connections.max_calls);
  result.max_connection_age = listen.connections.max_age;
  result.age_grace = listen.drain;
  result.io_threads = plan.io_threads;
  result.turn.spin = plan.spin;
  result.turn.share_when_wanted = plan.io_share;
  return result;
}

absl::StatusOr<std::unique_ptr<TlsCertificates>> LoadCertificates(const TlsOptions& tls,
                                                                  FileSystem* files) {
  if (!tls.enabled()) return std::unique_ptr<TlsCertificates>();
  return TlsCertificates::Load(
      {.certificate = tls.certificate_file, .key = tls.key_file, .client_ca = tls.client_ca_file},
      files);
}

std::vector<ModelVersions> CountVersions(const ModelRegistry& registry) {
  std::map<std::string, ModelVersions> models;
  for (const VersionStatus& version : registry.List()) {
    ModelVersions& counts = models[version.model];
    if (version.state == VersionState::kLoading) {
      ++counts.loading;
    } else if (version.state == VersionState::kReady) {
      ++counts.ready;
    } else if (registry.UnloadedByHand(version.model)) {
      ++counts.unloaded;
    } else {
      ++counts.failed;
    }
  }
  std::vector<ModelVersions> result;
  for (auto& [name, counts] : models) {
    counts.model = name;
    result.push_back(std::move(counts));
  }
  return result;
}

/// What outlives every call: models, metrics, health.
struct Core {
  Core(const ServerOptions& server_options, FileSystem* file_system)
      : options(server_options),
        files(file_system),
        repository(file_system, server_options.repository),
        metrics(MetricsExporter::Create(std::string(ServerVersion()))),
        registry(ModelRegistry::Create(
            &repository, file_system, &clock,
            [this](const std::string& model, bool ready) { health.Set(model, ready); },
            [this](const std::string& model) { metrics->CountLoadFailure(model); })) {
    metrics->ShowModels([this] { return CountVersions(*registry); });
  }

  absl::Status Readiness() const {
    switch (state.load()) {
      case State::kLoading:
        return absl::UnavailableError("models are being loaded");
      case State::kStopping:
        return absl::UnavailableError("the server is shutting down");
      default:
        return absl::OkStatus();
    }
  }

  const ServerOptions options;
  FileSystem* const files;
  RealClock clock;
  std::atomic<State> state = State::kLoading;
  Repository repository;
  const std::unique_ptr<MetricsExporter> metrics;
  HealthService health;
  const std::unique_ptr<ModelRegistry> registry;
  std::unique_ptr<TlsCertificates> certificates;  // null: no TLS
};

/// Services, threads and transport, from the opened port to the last call. Members end in reverse
/// order: the transport first, then what it calls.
class Frontend {
 public:
  static absl::StatusOr<std::unique_ptr<Frontend>> Open(Core* core) {
    std::unique_ptr<Frontend> frontend(new Frontend(core));
    SIGSERVE_RETURN_IF_ERROR(frontend->OpenTransport());
    return frontend;
  }
  ~Frontend() { core_->metrics->ShowLoad(nullptr); }
  Frontend(const Frontend&) = delete;
  Frontend& operator=(const Frontend&) = delete;

  const std::string& address() const { return transport_->bound_address(); }

  /// Finishes calls and training for at most `patience`.
  void Drain(absl::Duration patience) {
    // No longer than the drain: a job that is left behind is FAILED at the next start.
    std::atomic<bool> training = true;
    std::thread training_stop([&] {
      if (runner_.ok()) (*runner_)->Stop(patience);
      training = false;
    });
    training_service_.EndUploads();
    transport_->Drain(patience, [&] { return training || loads_.count() > 0; });
    training_stop.join();
  }

 private:
  explicit Frontend(Core* core)
      : core_(core),
        cpus_(FindCpuLimit()),
        plan_(PlanThreads(cpus_, core->options.threads)),
        runner_(StartTraining(core)),
        statistics_(core->metrics.get(), &core->clock),
        model_service_(core->registry.get(), &loads_),
        inference_service_(core->registry.get(), &statistics_, &loads_,
                           {.name = core->options.server_name,
                            .version = std::string(ServerVersion()),
                            .ready = [core] { return core->Readiness().ok(); }}),
        training_service_(
            runner_.ok() ? absl::StatusOr<JobRunner*>(runner_->get()) : runner_.status(),
            &core->clock, core->options.training.upload_stall),
        methods_(Methods()),
        load_threads_(kLoadThreads),
        compute_(
            {.workers = plan_.compute_threads}, &core->clock,
            [this](const BatchTarget& target, DispatchReason reason) {
              statistics_.RecordBatch(target.model, Name(reason));
            },
            [this](const BatchTarget& target, DropReason reason) {
              if (IsRefusal(reason)) statistics_.RecordRefusal(target.model, Name(reason));
            }) {
    SIGSERVE_LOG(kInfo, cpus_.ToString(), ": ", plan_.ToString());
  }

  static absl::StatusOr<std::unique_ptr<JobRunner>> StartTraining(Core* core) {
    const TrainingOptions& options = core->options.training;
    absl::StatusOr<std::unique_ptr<JobRunner>> runner =
        absl::UnimplementedError("training is disabled (config: training)");
    if (!options.disabled) {
      JobRunnerParts parts;
      parts.repository = &core->repository;
      parts.registry = core->registry.get();
      parts.files = core->files;
      parts.clock = &core->clock;
      runner = JobRunner::Create(options, std::move(parts));
    }
    if (!runner.ok()) SIGSERVE_LOG(kInfo, "no training: ", runner.status().message());
    return runner;
  }

  std::vector<ServiceMethod> Methods() {
    std::vector<ServiceMethod> methods = PredictionFrontend::Methods();
    for (const auto& more : {core_->health.Methods(), model_service_.Methods(),
                             inference_service_.Methods(), training_service_.Methods()}) {
      methods.insert(methods.end(), more.begin(), more.end());
    }
    reflection_ = std::make_unique<ReflectionService>(methods);
    for (ServiceMethod& method : reflection_->Methods()) methods.push_back(std::move(method));
    for (const std::string& service : reflection_->services()) core_->health.Set(service, true);
    return methods;
  }

  absl::Status OpenTransport() {
    const ListenOptions& listen = core_->options.listen;
    TransportOptions options = TransportOptionsOf(listen, plan_);
    options.executor = [this](const std::function<void()>& work) { control_threads_.Run(work); };
    options.turn.processor_is_wanted = [this] { return compute_.busy() > plan_.spare_processors; };
    const auto make_handler = [this, &listen](int) {
      auto frontend = std::make_unique<PredictionFrontend>(
          core_->registry.get(), &statistics_, &core_->clock, listen.max_message_bytes, &compute_);
      predictions_.push_back(frontend.get());
      return std::make_unique<Dispatcher>(
          &methods_, std::move(frontend),
          DispatchThreads{.control = &control_threads_, .load = &load_threads_});
    };
    absl::StatusOr<std::unique_ptr<Transport>> started = StartGrpcTransport(
        options, Dispatcher::Methods(methods_), make_handler, core_->certificates.get());
    if (!started.ok()) {
      return Annotate(started.status(),
                      absl::StrCat("cannot listen for gRPC on '", listen.grpc_address, "'"));
    }
    transport_ = *std::move(started);
    core_->metrics->ShowLoad([this] { return Load(); });
    return absl::OkStatus();
  }

  ServerLoad Load() const {
    ServerLoad load;
    for (const PredictionFrontend* frontend : predictions_) {
      load.requests_in_flight += frontend->requests_in_flight();
    }
    for (Scheduler::Queue& queue : compute_.queues()) {
      load.queues.push_back({std::move(queue.model), queue.rows, queue.time});
    }
    return load;
  }

  Core* const core_;
  const CpuLimit cpus_;
  const ThreadPlan plan_;
  const absl::StatusOr<std::unique_ptr<JobRunner>> runner_;
  StatisticsRecorder statistics_;
  CallsInProgress loads_;
  ModelService model_service_;
  InferenceService inference_service_;
  TrainingService training_service_;
  std::unique_ptr<ReflectionService> reflection_;
  const std::vector<ServiceMethod> methods_;
  ControlThreads control_threads_;
  ControlThreads load_threads_;
  ComputePool compute_;
  std::vector<const PredictionFrontend*> predictions_;  // the transport's
  std::unique_ptr<Transport> transport_;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, FileSystem* files) : core_(options, files) {}
  ~ServerImpl() override { core_.state = State::kStopping; }

  absl::Status Open() {
    const ListenOptions& listen = core_.options.listen;
    SIGSERVE_RETURN_IF_ERROR(
        Annotate(core_.files->List(core_.options.repository).status(), "repository"));
    SIGSERVE_ASSIGN_OR_RETURN(core_.certificates, LoadCertificates(listen.tls, core_.files));
    if (!listen.http_enabled()) return absl::OkStatus();
    SIGSERVE_ASSIGN_OR_RETURN(
        http_, StartHttpEndpoint(listen.http_address, &core_.clock,
                                 {.metrics = [this] { return core_.metrics->Serialize(); },
                                  .readiness = [this] { return core_.Readiness(); }}));
    return absl::OkStatus();
  }

  absl::Status LoadModels() override {
    SIGSERVE_RETURN_IF_ERROR(Annotate(core_.registry->ReloadAll(), "repository"));
    WarnIfEmpty();
    return absl::OkStatus();
  }

  absl::Status Start() override {
    SIGSERVE_ASSIGN_OR_RETURN(frontend_, Frontend::Open(&core_));
    watch_ = std::make_unique<RepositoryWatch>(core_.registry.get(), core_.options.repository_poll);
    core_.state = State::kReady;
    return absl::OkStatus();
  }

  void Reload() override {
    SIGSERVE_LOG(kInfo, "reloading the repository",
                 core_.certificates == nullptr ? "" : " and the TLS files");
    if (core_.certificates != nullptr) {
      const absl::Status status = core_.certificates->Reload();
      if (!status.ok()) {
        SIGSERVE_LOG(kError, "the TLS files stay as they were: ", status.message());
      }
    }
    if (watch_ != nullptr) watch_->ReloadSoon();
  }

  void Stop(absl::Duration drain) override {
    core_.state = State::kStopping;
    core_.health.Shutdown();
    if (frontend_ == nullptr) return;
    watch_->RequestStop();
    frontend_->Drain(drain);
    frontend_ = nullptr;
    watch_ = nullptr;  // waits for a load that is running
  }

  std::string grpc_address() const override {
    return frontend_ == nullptr ? "" : frontend_->address();
  }
  std::string http_address() const override { return http_ == nullptr ? "" : http_->address(); }

  std::string ModelSummary() const override {
    int64_t ready = 0;
    int64_t failed = 0;
    for (const ModelVersions& model : CountVersions(*core_.registry)) {
      (model.ready > 0 ? ready : failed) += 1;
    }
    return absl::StrCat(ready, ready == 1 ? " model" : " models", " ready, ", failed, " failed");
  }

 private:
  void WarnIfEmpty() const {
    if (!core_.registry->List().empty()) return;
    const std::string& path = core_.options.repository;
    SIGSERVE_LOG(kWarning, "no models in ", path, ": put each model at ", path,
                 "/<model>/<version>/model.onnx and send SIGHUP or run 'sigctl reload'; in a "
                 "container, mount them: docker run -v /path/to/models:",
                 path, ":ro ...");
  }

  Core core_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Frontend> frontend_;
  std::unique_ptr<RepositoryWatch> watch_;
};

}  // namespace

absl::string_view ServerVersion() { return SIGSERVE_VERSION; }

void PrepareProcess() {
  RouteGrpcLog();
  // Protobuf logs requests that do not parse; clients get an error that says so.
  google::protobuf::SetLogHandler(nullptr);
  // A debugging aid that Debian's build of Abseil has on: 5 % of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const ServerOptions& options,
                                                       FileSystem* files) {
  SIGSERVE_RETURN_IF_ERROR(Validate(options));
  auto server = std::make_unique<ServerImpl>(options, files);
  SIGSERVE_RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace sigserve
