#include "server/services/health_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/rpc/status.h"
#include "server/rpc/watch_reactor.h"

namespace sigserve {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthService::Watcher final : public WatchReactor {
 public:
  explicit Watcher(HealthService* health) : health_(health) {}

  void OnDone() override { health_->Remove(this); }

 protected:
  absl::Status Open(absl::Span<const absl::string_view> bytes) override {
    HealthCheckRequest request;
    SIGSERVE_RETURN_IF_ERROR(ParseMessage(bytes, &request));
    name_ = request.service();
    health_->Add(std::static_pointer_cast<Watcher>(shared_from_this()));
    return absl::OkStatus();
  }
  Update Next() override {
    const ServingStatus status = health_->Status(name_);
    if (status == sent_) return {};
    sent_ = status;
    HealthCheckResponse response;
    response.set_status(status);
    return {.message = response.SerializeAsString()};
  }

 private:
  HealthService* const health_;
  std::string name_;
  std::optional<ServingStatus> sent_;
};

void HealthService::Set(const std::string& name, bool serving) {
  {
    absl::MutexLock lock(&mutex_);
    serving_[name] = serving;
  }
  NotifyWatchers();
}

void HealthService::Shutdown() {
  {
    absl::MutexLock lock(&mutex_);
    shut_down_ = true;
  }
  NotifyWatchers();
}

absl::Status HealthService::Check(const HealthCheckRequest& request,
                                  HealthCheckResponse* response) {
  const ServingStatus status = Status(request.service());
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    return absl::NotFoundError(
        absl::StrCat("no model or service has the name ", Quote(request.service())));
  }
  response->set_status(status);
  return absl::OkStatus();
}

std::vector<ServiceMethod> HealthService::Methods() {
  return {FunctionMethod("/grpc.health.v1.Health/Check", this, &HealthService::Check,
                         RunsOn::kIoThread),
          {.method = {.path = "/grpc.health.v1.Health/Watch", .kind = MethodKind::kReactorStream},
           .handler = StreamReactorFactory([this] { return std::make_shared<Watcher>(this); })}};
}

HealthService::ServingStatus HealthService::Status(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto found = serving_.find(name);
  if (found == serving_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return found->second && !shut_down_ ? HealthCheckResponse::SERVING
                                      : HealthCheckResponse::NOT_SERVING;
}

void HealthService::Add(const std::shared_ptr<Watcher>& watcher) {
  absl::MutexLock lock(&mutex_);
  watchers_.emplace(watcher.get(), watcher);
}

void HealthService::Remove(const Watcher* watcher) {
  absl::MutexLock lock(&mutex_);
  watchers_.erase(watcher);
}

void HealthService::NotifyWatchers() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [address, weak] : watchers_) {
      if (std::shared_ptr<Watcher> watcher = weak.lock()) watchers.push_back(std::move(watcher));
    }
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->Notify();
}

}  // namespace sigserve
