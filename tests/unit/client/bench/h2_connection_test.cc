// The hand-made HTTP/2 client against gRPC's own server, and against peers that misbehave.
#include "client/bench/h2_connection.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/bench/h2_frames.h"
#include "tests/support/status_matchers.h"

namespace sigserve::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

/// Writes down what it is told.
struct Recorder final : AnswerHandler {
  void OnMessage(uint64_t tag, absl::string_view message) override {
    messages[tag].emplace_back(message);
  }
  void OnEnd(uint64_t tag, int code) override { codes[tag] = code; }
  std::map<uint64_t, std::vector<std::string>> messages;
  std::map<uint64_t, int> codes;
};

/// Every message comes back; "fail" ends the call with ABORTED.
class EchoServer final : public grpc::CallbackGenericService {
 public:
  explicit EchoServer(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~EchoServer() override { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  void Shutdown() { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    Reactor() { StartRead(&message_); }
    void OnReadDone(bool ok) override {
      if (!ok) {
        Finish(grpc::Status::OK);
        return;
      }
      grpc::Slice slice;
      if (message_.DumpToSingleSlice(&slice).ok() && slice.size() == 4) {
        Finish({grpc::StatusCode::ABORTED, "as asked"});
        return;
      }
      StartWrite(&message_);
    }
    void OnWriteDone(bool) override { StartRead(&message_); }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer message_;
  };
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Reactor;
  }
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

/// Pumps until `done`, or the connection is lost.
template <typename Done>
absl::Status PumpUntil(H2Connection* connection, const Done& done) {
  while (!done()) {
    const absl::Status status = connection->Pump();
    if (!status.ok()) return status;
    if (done()) break;
    pollfd fd = {connection->fd(), POLLIN, 0};
    if (connection->wants_write()) fd.events |= POLLOUT;
    poll(&fd, 1, -1);
  }
  return absl::OkStatus();
}

TEST(H2ConnectionTest, ManyCallsAreEachAnsweredOnce) {
  EchoServer server("127.0.0.1:0");
  Recorder seen;
  ASSERT_OK_AND_ASSIGN(const auto connection, H2Connection::Connect(server.address(), &seen));
  // Two methods by turns: their header blocks share one table.
  const int methods[] = {connection->AddMethod({.path = "/a.B/C"}),
                         connection->AddMethod({.path = "/a.B/D", .timeout_us = 60'000'000})};
  for (uint64_t i = 0; i < 200; ++i) {
    connection->Start(methods[i % 2], absl::StrCat("message ", i), true, i);
  }
  ASSERT_OK(PumpUntil(connection.get(), [&] { return connection->open_calls() == 0; }));
  ASSERT_EQ(seen.codes.size(), 200U);
  for (uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(seen.codes[i], 0);
    EXPECT_THAT(seen.messages[i], ElementsAre(absl::StrCat("message ", i)));
  }
}

TEST(H2ConnectionTest, AUnixSocketAndTheServersError) {
  const std::string address = absl::StrCat("unix:", testing::TempDir(), "h2_", getpid());
  EchoServer server(address);
  Recorder seen;
  ASSERT_OK_AND_ASSIGN(const auto connection, H2Connection::Connect(address, &seen));
  connection->Start(connection->AddMethod({.path = "/a.B/C"}), "fail", true, 5);
  ASSERT_OK(PumpUntil(connection.get(), [&] { return seen.codes.count(5) == 1; }));
  EXPECT_EQ(seen.codes[5], 10);
}

TEST(H2ConnectionTest, LargeMessagesPassFlowControlBothWays) {
  EchoServer server("127.0.0.1:0");
  Recorder seen;
  ASSERT_OK_AND_ASSIGN(const auto connection, H2Connection::Connect(server.address(), &seen));
  const int method = connection->AddMethod({.path = "/a.B/C"});
  std::string large(1 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  const uint32_t stream = connection->Start(method, large, false, 1);
  for (int i = 0; i < 4; ++i) connection->Send(stream, large, i == 3);
  ASSERT_OK(PumpUntil(connection.get(), [&] { return connection->open_calls() == 0; }));
  ASSERT_EQ(seen.messages[1].size(), 5U);
  for (const std::string& message : seen.messages[1]) EXPECT_TRUE(message == large);
  EXPECT_EQ(seen.codes[1], 0);
}

TEST(H2ConnectionTest, AServerThatShutsDownIsUnavailable) {
  EchoServer server("127.0.0.1:0");
  Recorder seen;
  ASSERT_OK_AND_ASSIGN(const auto connection, H2Connection::Connect(server.address(), &seen));
  connection->Start(connection->AddMethod({.path = "/a.B/C"}), "hello", true, 1);
  ASSERT_OK(PumpUntil(connection.get(), [&] { return connection->open_calls() == 0; }));
  server.Shutdown();
  EXPECT_THAT(PumpUntil(connection.get(), [] { return false; }),
              StatusIs(kUnavailable, testing::_));
}

TEST(H2ConnectionTest, NobodyListensAndBadAddresses) {
  Recorder seen;
  EXPECT_THAT(H2Connection::Connect("127.0.0.1:1", &seen),
              StatusIs(kUnavailable, "cannot reach 127.0.0.1:1: Connection refused"));
  for (const char* address : {"", "host", ":1", "host:", "unix:"}) {
    EXPECT_THAT(H2Connection::Connect(address, &seen),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::_))
        << address;
  }
}

// A peer whose bytes the test writes.
class PeerTest : public testing::Test {
 protected:
  PeerTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    peer_ = fds[1];
    connection_ = H2Connection::Adopt(fds[0], "peer", &seen_);
    method_ = connection_->AddMethod({.path = "/a.B/C"});
  }
  ~PeerTest() override { close(peer_); }

  absl::Status Receive(const std::string& bytes) {
    EXPECT_EQ(write(peer_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return connection_->Pump();
  }
  static std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& body) {
    std::string bytes;
    PutFrameHead({.length = body.size(), .type = type, .flags = flags, .stream = stream}, &bytes);
    return bytes + body;
  }
  static std::string U32(uint32_t value) {
    std::string bytes;
    PutU32(value, &bytes);
    return bytes;
  }
  /// grpc-status as a literal without indexing.
  static std::string Trailers(const std::string& code) {
    return std::string("\x00\x0b", 2) + "grpc-status" + static_cast<char>(code.size()) + code;
  }

  int peer_;
  Recorder seen_;
  std::unique_ptr<H2Connection> connection_;
  int method_;
};

TEST_F(PeerTest, AMessageInPiecesAndTwoInOne) {
  connection_->Start(method_, "x", true, 9);
  const std::string message = std::string("\0\0\0\0\x02", 5) + "ab";
  ASSERT_OK(Receive(Frame(kData, 0, 1, message.substr(0, 3))));
  ASSERT_OK(Receive(Frame(kData, 0, 1, message.substr(3))));
  ASSERT_OK(Receive(Frame(kData, kPadded, 1, "\x02" + message + message + "pp")));
  EXPECT_THAT(seen_.messages[9], ElementsAre("ab", "ab", "ab"));
  // Trailers in two frames.
  const std::string block = Trailers("8");
  ASSERT_OK(Receive(Frame(kHeaders, kEndStream, 1, block.substr(0, 4)) +
                    Frame(kContinuation, kEndHeaders, 1, block.substr(4))));
  EXPECT_EQ(seen_.codes[9], 8);
}

TEST_F(PeerTest, ACallThatEndsWithoutAStatusIsInternal) {
  connection_->Start(method_, "x", true, 1);
  connection_->Start(method_, "x", true, 2);
  connection_->Start(method_, "x", true, 3);
  ASSERT_OK(Receive(Frame(kRstStream, 0, 1, U32(8)) + Frame(kData, kEndStream, 3, "") +
                    Frame(kHeaders, kEndHeaders | kEndStream, 5, Trailers("many"))));
  EXPECT_EQ(seen_.codes[1], 13);
  EXPECT_EQ(seen_.codes[2], 13);
  EXPECT_EQ(seen_.codes[3], 2);  // a status, but no number
}

TEST_F(PeerTest, GoAwayEndsWhatWasNotTakenAndLetsTheRestFinish) {
  connection_->Start(method_, "x", true, 1);
  connection_->Start(method_, "x", true, 2);
  ASSERT_OK(Receive(Frame(kGoAway, 0, 0, U32(1) + U32(0))));
  EXPECT_EQ(seen_.codes, (std::map<uint64_t, int>{{2, 14}}));
  EXPECT_FALSE(connection_->CanStart());
  EXPECT_THAT(Receive(Frame(kHeaders, kEndHeaders | kEndStream, 1, Trailers("0"))),
              StatusIs(kUnavailable, "the server is going away"));
  EXPECT_EQ(seen_.codes[1], 0);
}

TEST_F(PeerTest, TheStreamLimitHolds) {
  ASSERT_OK(Receive(Frame(kSettings, 0, 0, std::string("\0\x03", 2) + U32(1))));
  EXPECT_TRUE(connection_->CanStart());
  connection_->Start(method_, "x", true, 1);
  EXPECT_FALSE(connection_->CanStart());
  ASSERT_OK(Receive(Frame(kRstStream, 0, 1, U32(0))));
  EXPECT_TRUE(connection_->CanStart());
}

TEST_F(PeerTest, AWindowOfNothingHoldsMessagesBack) {
  ASSERT_OK(Receive(Frame(kSettings, 0, 0, std::string("\0\x04", 2) + U32(0))));
  connection_->Start(method_, "hello", true, 1);
  EXPECT_FALSE(connection_->CanSend());
  ASSERT_OK(Receive(Frame(kWindowUpdate, 0, 1, U32(9))));
  EXPECT_FALSE(connection_->CanSend());
  ASSERT_OK(Receive(Frame(kWindowUpdate, 0, 1, U32(1))));
  EXPECT_TRUE(connection_->CanSend());
}

TEST_F(PeerTest, WhatBreaksHttp2EndsTheConnection) {
  const std::string header_start = Frame(kHeaders, 0, 1, "");
  std::string many;
  for (int i = 0; i < 5; ++i) {
    many += Frame(i == 0 ? kHeaders : kContinuation, 0, 1, std::string(16384, 'x'));
  }
  struct Case {
    std::string bytes;
    std::string why;
  };
  const std::vector<Case> cases = {
      {Frame(99, 0, 0, std::string(16385, 'x')), "a frame above 16 KiB"},
      {header_start + Frame(kData, 0, 1, ""), "headers were left unfinished"},
      {header_start + Frame(kContinuation, 0, 3, ""), "headers were left unfinished"},
      {Frame(kContinuation, 0, 1, ""), "CONTINUATION of nothing"},
      {Frame(kHeaders, kEndHeaders, 0, ""), "HEADERS on stream 0"},
      {Frame(kHeaders, kPriority, 1, "1234"), "a short HEADERS frame"},
      {many, "headers above 64 KiB"},
      {Frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff"), "no HPACK"},
      {Frame(kData, kPadded, 1, ""), "more padding than frame"},
      {Frame(kData, kPadded, 1, "\x05"), "more padding than frame"},
      {Frame(kData, 0, 1, std::string("\x01\0\0\0\0", 5)), "a compressed message"},
      {Frame(kData, 0, 1, std::string("\0\xff\xff\xff\xff", 5)), "a message above 64 MiB"},
      {Frame(kRstStream, 0, 1, ""), "RST_STREAM frame of a wrong size"},
      {Frame(kSettings, 0, 0, "12345"), "SETTINGS frame of a wrong size"},
      {Frame(kSettings, 0, 0, std::string("\0\x04", 2) + U32(1U << 31)), "a window above"},
      {Frame(kPing, 0, 0, "1"), "PING frame of a wrong size"},
      {Frame(kGoAway, 0, 0, "1"), "a short GOAWAY frame"},
      {Frame(kWindowUpdate, 0, 0, "1"), "WINDOW_UPDATE frame of a wrong size"},
      {Frame(kWindowUpdate, 0, 0, U32(0x7fffffff)), "a window above"},
      {Frame(kPushPromise, 0, 1, ""), "PUSH_PROMISE"},
  };
  for (const Case& c : cases) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    Recorder seen;
    const auto connection = H2Connection::Adopt(fds[0], "peer", &seen);
    connection->Start(connection->AddMethod({.path = "/a.B/C"}), "x", true, 1);
    ASSERT_EQ(write(fds[1], c.bytes.data(), c.bytes.size()), static_cast<ssize_t>(c.bytes.size()));
    EXPECT_THAT(connection->Pump(), StatusIs(kUnavailable, HasSubstr(c.why)));
    close(fds[1]);
  }
}

TEST(HostilePeerTest, MutatedAnswersNeverCrash) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    Recorder seen;
    const auto connection = H2Connection::Adopt(fds[0], "peer", &seen);
    const int method = connection->AddMethod({.path = "/a.B/C"});
    for (uint64_t i = 0; i < 3; ++i) connection->Start(method, "x", i > 0, i);
    std::string bytes;
    for (int frame = 0; frame < 6; ++frame) {
      const size_t length = random() % 24;
      PutFrameHead({.length = length,
                    .type = static_cast<uint8_t>(random() % 11),
                    .flags = static_cast<uint8_t>(random() & 0x2d),
                    .stream = static_cast<uint32_t>(random() % 7)},
                   &bytes);
      for (size_t i = 0; i < length; ++i) {
        bytes.push_back(static_cast<char>(random() % 4 == 0 ? random() : 0));
      }
    }
    ASSERT_EQ(write(fds[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    const absl::Status status = connection->Pump();
    EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
    close(fds[1]);
  }
}

}  // namespace
}  // namespace sigserve::bench
