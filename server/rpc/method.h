// The methods that a server offers, as a transport registers them.
#pragma once

#include <string>

#include "server/rpc/stream.h"

namespace sigserve {

struct TransportMethod {
  std::string path;  // "/sigserve.v1.PredictionService/Predict"
  bool streaming = false;
  /// On a stream: replies leave in the order of their messages.
  bool ordered = false;
  /// A stream that is not answered message by message: what deals with it, instead of a handler.
  StreamReactorFactory reactor = nullptr;
  /// Called all the time, so that many calls are to be ready for its arrivals.
  bool frequent = false;
};

}  // namespace sigserve
