// The transport with nothing above it: what a call costs before any model. Answers 32 bytes to
// Predict and PredictStream, until its standard input ends.
//
//   echo_server ADDRESS [SPIN_US [IO_THREADS]]      prints the address it listens on
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "server/transport/grpc/grpc_engine.h"
#include "tests/support/message_handlers.h"

namespace sigserve {
namespace {

constexpr size_t kReplyBytes = 32;

class EchoHandler final : public testing_support::PlainHandler {
 public:
  void OnMessage(int /*method*/, InboundMessage* message) override { turn_.push_back(message); }
  void OnDrained() override {
    for (InboundMessage* message : turn_) {
      std::memset(message->AllocateReply(kReplyBytes), 1, kReplyBytes);
      message->Reply(absl::OkStatus());
    }
    turn_.clear();
  }

 private:
  std::vector<InboundMessage*> turn_;
};

int Main(int argc, char** argv) {
  TransportOptions options;
  options.listener.address = argc > 1 ? argv[1] : "127.0.0.1:0";
  if (argc > 2) options.turn.spin = absl::Microseconds(std::atoi(argv[2]));
  if (argc > 3) options.io_threads = std::atoi(argv[3]);
  const absl::StatusOr<std::unique_ptr<Transport>> transport = StartGrpcTransport(
      options,
      {{.path = "/sigserve.v1.PredictionService/Predict", .frequent = true},
       {.path = "/sigserve.v1.PredictionService/PredictStream",
        .kind = MethodKind::kMessageStream,
        .frequent = true}},
      [](int) { return std::make_unique<EchoHandler>(); }, nullptr);
  if (!transport.ok()) {
    std::fprintf(stderr, "echo_server: %s\n", transport.status().ToString().c_str());
    return EXIT_FAILURE;
  }
  std::printf("%s\n", (*transport)->bound_address().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  (*transport)->Drain(absl::Seconds(1), [] { return false; });
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace sigserve

int main(int argc, char** argv) { return sigserve::Main(argc, argv); }
