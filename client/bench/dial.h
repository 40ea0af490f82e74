// Plain sockets to "HOST:PORT" or "unix:PATH".
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sigserve::bench {

/// A connected socket, Nagle's delay off, blocking; connecting takes 5 s at most. UNAVAILABLE if
/// nobody listens, INVALID_ARGUMENT if it is no address.
absl::StatusOr<int> Dial(const std::string& address);

/// Returns `fd`.
int SetNonBlocking(int fd);

}  // namespace sigserve::bench
