// What a channel shows the server, and asks of it. Internal to the client.
#pragma once

#include <grpcpp/security/credentials.h>

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "client/client.h"

namespace sigserve::client {

/// Plain text without options. INVALID_ARGUMENT names the file that cannot be read, or the key that
/// is not the certificate's.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const std::optional<TlsOptions>& tls);

}  // namespace sigserve::client
