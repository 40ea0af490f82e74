// What a transport needs to know about an RPC method in order to register it.
#pragma once

#include <string>

namespace sigserve {

enum class MethodKind {
  kUnary,
  /// A bidirectional stream; each of its messages is handled like a unary call.
  kMessageStream,
  /// A stream that a StreamReactor drives (stream.h): uploads, watches.
  kReactorStream,
};

struct Method {
  std::string path;  // "/sigserve.v1.PredictionService/Predict"
  MethodKind kind = MethodKind::kUnary;
  /// kMessageStream: replies leave in the order of their requests.
  bool ordered = false;
  /// Called often: the transport keeps more calls posted for it.
  bool frequent = false;
};

}  // namespace sigserve
