// grpc.reflection.v1.ServerReflection, and v1alpha, for clients such as grpcurl: describes the API.
// Our own: gRPC's library would bring threads of its own (grpc_transport.h). Thread-safe.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"
#include "server/rpc/service_method.h"

namespace sigserve {

class ReflectionService {
 public:
  /// Lists the services of these methods and itself.
  explicit ReflectionService(const std::vector<ServiceMethod>& methods);

  /// Always OK: errors are in the response (NOT_FOUND, INVALID_ARGUMENT).
  absl::Status Answer(const grpc::reflection::v1::ServerReflectionRequest& request,
                      grpc::reflection::v1::ServerReflectionResponse* response);

  const std::set<std::string>& services() const { return services_; }

  /// One method per version. The service must outlive their calls.
  std::vector<ServiceMethod> Methods();

 private:
  absl::Status Find(const grpc::reflection::v1::ServerReflectionRequest& request,
                    grpc::reflection::v1::ServerReflectionResponse* response) const;

  std::set<std::string> services_;
};

}  // namespace sigserve
