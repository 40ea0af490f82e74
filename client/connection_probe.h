// Why a connection fails although something listens: TLS on one side only, a certificate that is
// missing or not trusted. gRPC reports all of these as "Socket closed" or as nothing. The probe
// connects once more, by itself, and looks at the TLS handshake. Internal to the client.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/client.h"

namespace sigserve::client {

struct Diagnosis {
  ConnectFault fault = ConnectFault::kNoAnswer;
  std::string text = {};  // "the server uses TLS, this client plain text"
};

/// Nothing if the probe finds no cause: no server listens, the handshake succeeds, or `address` is
/// not HOST:PORT or unix:PATH. Blocks for at most about `timeout`; any thread.
std::optional<Diagnosis> ProbeConnection(const std::string& address,
                                         const std::optional<TlsOptions>& tls,
                                         absl::Duration timeout);

}  // namespace sigserve::client
