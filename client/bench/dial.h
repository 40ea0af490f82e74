// Plain sockets to "HOST:PORT" or "unix:PATH".
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sigserve::bench {

/// A connected, blocking socket with Nagle's algorithm off; connecting takes 5 s at most.
/// UNAVAILABLE if no server listens, INVALID_ARGUMENT if `address` has neither form.
absl::StatusOr<int> Dial(const std::string& address);

/// Returns `fd`.
int SetNonBlocking(int fd);

}  // namespace sigserve::bench
