// grpc.reflection.v1alpha.ServerReflection: tells clients such as grpcurl the API. Our own, since
// gRPC's library brings threads that poll the connections (grpc_transport.h). Thread-safe.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "server/rpc/service_method.h"

namespace sigserve {

class ReflectionService {
 public:
  /// The services to list: those of these methods, "/package.Service/Method", and itself.
  explicit ReflectionService(const std::vector<ServiceMethod>& methods);

  /// Errors are told within the response: NOT_FOUND, INVALID_ARGUMENT.
  absl::Status Answer(const grpc::reflection::v1alpha::ServerReflectionRequest& request,
                      grpc::reflection::v1alpha::ServerReflectionResponse* response);

  const std::set<std::string>& services() const { return services_; }

  /// It must outlive its calls.
  ServiceMethod Method();

 private:
  absl::Status Find(const grpc::reflection::v1alpha::ServerReflectionRequest& request,
                    grpc::reflection::v1alpha::ServerReflectionResponse* response) const;

  std::set<std::string> services_;
};

}  // namespace sigserve
