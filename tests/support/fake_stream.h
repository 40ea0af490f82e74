// A stream without a transport: the test completes its operations. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/rpc/stream.h"

namespace sigserve::testing_support {

class FakeStream final : public ServerStream {
 public:
  void Read() override { reading = true; }
  absl::Span<const absl::string_view> message() const override { return {&piece_, 1}; }
  void Write(const std::string& message) override {
    written.push_back(message);
    writing = true;
  }
  void Finish(const absl::Status& status) override { finished = status; }
  void WriteAndFinish(const std::string& message) override {
    written.push_back(message);
    finished = absl::OkStatus();
  }
  bool cancelled() const override { return gone; }

  /// Completes a read: the client has sent a message.
  void Deliver(StreamReactor* reactor, const std::string& bytes) {
    bytes_ = bytes;
    piece_ = bytes_;
    reading = false;
    reactor->OnReadDone(true);
  }
  /// Completes a write.
  void WriteDone(StreamReactor* reactor) {
    writing = false;
    reactor->OnWriteDone(true);
  }

  bool reading = false;
  bool writing = false;
  bool gone = false;
  std::vector<std::string> written;
  std::optional<absl::Status> finished;

 private:
  std::string bytes_;
  absl::string_view piece_;
};

}  // namespace sigserve::testing_support
