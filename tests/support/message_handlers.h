// Handlers that stand above a transport in tests.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/message.h"

namespace sigserve::testing_support {

/// Answers every message at once with no bytes; a test overrides what it is about.
class PlainHandler : public MessageHandler {
 public:
  using OpenStreamFunction = std::function<std::shared_ptr<StreamReactor>(int method)>;

  explicit PlainHandler(OpenStreamFunction open_stream = nullptr)
      : open_stream_(std::move(open_stream)) {}

  void OnMessage(int /*method*/, InboundMessage* message) override {
    message->Reply(absl::OkStatus());
  }
  std::shared_ptr<StreamReactor> OpenStream(int method) override { return open_stream_(method); }
  absl::Status RejectUnknown(absl::string_view path) override {
    return absl::UnimplementedError(absl::StrCat("unknown: ", path));
  }
  void OnDrained() override {}

 private:
  const OpenStreamFunction open_stream_;
};

}  // namespace sigserve::testing_support
