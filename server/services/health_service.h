// grpc.health.v1.Health: whether the server (the empty name), its services and its models serve.
// Our own: gRPC's library would bring threads of its own (grpc_transport.h). Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.pb.h"
#include "server/rpc/service_method.h"

namespace sigserve {

class HealthService {
 public:
  /// The server itself is SERVING from the start.
  HealthService() { serving_[""] = true; }

  void Set(const std::string& name, bool serving) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Everything is NOT_SERVING from here on, whatever is set.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

  /// NOT_FOUND for a name that was never set.
  absl::Status Check(const grpc::health::v1::HealthCheckRequest& request,
                     grpc::health::v1::HealthCheckResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Check; and Watch, which sends the status now and at every change. The service must outlive
  /// their calls.
  std::vector<ServiceMethod> Methods();

 private:
  class Watcher;
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;
  ServingStatus Status(const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const Watcher* watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void NotifyWatchers() ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, bool> serving_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<const Watcher*, std::weak_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
