// Parses the head of an HTTP/1.x request. Pure: bytes in, a value out.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sigserve {

/// The largest request line and headers together; far more than a probe or Prometheus sends.
inline constexpr size_t kMaxHttpHeadBytes = 8192;

enum class HttpHeadState {
  kIncomplete,
  kComplete,
  kMalformed,
  kTooLarge,
  kWrongVersion,  // not HTTP/1.x, e.g. a gRPC client's HTTP/2
};

struct HttpHead {
  HttpHeadState state = HttpHeadState::kIncomplete;
  /// Set when complete.
  std::string method = "";
  /// Without query; of an absolute URL, its path. Not decoded.
  std::string path = "";
};

/// `received`: what has arrived so far. Bad request lines are found before the head is complete.
HttpHead ParseHttpHead(absl::string_view received);

}  // namespace sigserve
