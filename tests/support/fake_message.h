// A request message without a transport: keeps its reply. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "server/rpc/message.h"

namespace sigserve::testing_support {

class FakeMessage final : public InboundMessage {
 public:
  explicit FakeMessage(std::string bytes)
      : bytes_(std::move(bytes)), piece_(bytes_.data(), bytes_.size()) {}
  absl::Span<const absl::string_view> request() const override { return {&piece_, 1}; }
  MonotonicTime deadline() const override { return MonotonicTime::InfiniteFuture(); }
  bool cancelled() const override { return false; }
  uint8_t* AllocateReply(size_t size) override {
    reply.resize(size);
    return reinterpret_cast<uint8_t*>(reply.data());
  }
  void Reply(const absl::Status& s) override { status = s; }
  void Refuse(const absl::Status& s, absl::Duration delay) override {
    status = s;
    retry_after = delay;
  }

  std::string reply;
  std::optional<absl::Status> status;
  std::optional<absl::Duration> retry_after;

 private:
  const std::string bytes_;
  const absl::string_view piece_;
};

}  // namespace sigserve::testing_support
