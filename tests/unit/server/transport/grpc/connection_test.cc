// The frames that a connection receives, read by a client that speaks HTTP/2 by hand.
#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "server/transport/grpc/grpc_transport.h"
#include "tests/support/message_handlers.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::PlainHandler;

enum FrameType : uint8_t { kSettings = 4, kGoAway = 7, kClosed = 255 };
constexpr int kMaxConcurrentStreams = 3;

class RawConnection {
 public:
  explicit RawConnection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &target.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&target), sizeof target), 0);
    std::string hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    hello += {0, 0, 0, kSettings, 0, 0, 0, 0, 0};  // with no settings
    EXPECT_EQ(send(fd_, hello.data(), hello.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(hello.size()));
  }
  ~RawConnection() { close(fd_); }

  /// The next frame of this type; kClosed when the connection ends first.
  FrameType Await(FrameType wanted, std::string* payload) const {
    for (;;) {
      std::string head;
      if (!Read(9, &head)) return kClosed;
      const auto byte = [&](size_t i) { return static_cast<uint8_t>(head[i]); };
      if (!Read(size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2), payload)) return kClosed;
      if (byte(3) == wanted) return wanted;
    }
  }

 private:
  bool Read(size_t bytes, std::string* to) const {
    to->resize(bytes);
    return bytes == 0 || recv(fd_, to->data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
  }

  const int fd_;
};

class ConnectionTest : public testing::Test {
 protected:
  void Start(TransportOptions options) {
    options.listener.address = "127.0.0.1:0";
    ASSERT_OK_AND_ASSIGN(
        transport_, GrpcTransport::Start(options, {{.path = "/test.Echo/Unary"}},
                                         [](int) { return std::make_unique<PlainHandler>(); }));
  }

  std::unique_ptr<GrpcTransport> transport_;
};

TEST_F(ConnectionTest, AnnouncesTheCallsPerConnection) {
  TransportOptions options;
  options.max_calls_per_connection = 7;
  Start(options);
  const RawConnection connection(transport_->port());
  std::string settings;
  ASSERT_EQ(connection.Await(kSettings, &settings), kSettings);
  std::map<int, uint32_t> values;
  for (size_t at = 0; at + 6 <= settings.size(); at += 6) {
    uint32_t value = 0;
    for (size_t i = 2; i < 6; ++i) value = value << 8 | static_cast<uint8_t>(settings[at + i]);
    values[settings[at] << 8 | settings[at + 1]] = value;
  }
  EXPECT_EQ(values[kMaxConcurrentStreams], 7U);
}

TEST_F(ConnectionTest, ReceivesGoAwayAtItsMaximumAge) {
  TransportOptions options;
  options.max_connection_age = absl::Milliseconds(50);
  options.age_grace = absl::ZeroDuration();
  Start(options);
  const RawConnection connection(transport_->port());
  std::string payload;
  EXPECT_EQ(connection.Await(kGoAway, &payload), kGoAway);
}

TEST_F(ConnectionTest, ReceivesGoAwayWhenTheServerStops) {
  Start({});
  const RawConnection connection(transport_->port());
  std::string payload;
  ASSERT_EQ(connection.Await(kSettings, &payload), kSettings);
  transport_->BeginShutdown(absl::InfiniteFuture());
  EXPECT_EQ(connection.Await(kGoAway, &payload), kGoAway);
}

}  // namespace
}  // namespace sigserve
