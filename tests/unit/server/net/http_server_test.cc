#include "server/net/http_server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing_support::MachineHasIpv6;
using testing_support::RawClient;

class HttpServerTest : public testing::Test {
 protected:
  void Start(const HttpServerOptions& options = {}, const std::string& address = "127.0.0.1:0") {
    ASSERT_OK_AND_ASSIGN(auto socket, ListenSocket::Open(address));
    ASSERT_OK_AND_ASSIGN(server_, HttpServer::Start(
                                      std::move(socket), &clock_,
                                      [](const std::string& path) -> HttpResponse {
                                        if (path == "/throw") throw std::runtime_error("a bug");
                                        if (path == "/large")
                                          return {.body = std::string(kLarge, 'x')};
                                        return {.body = absl::StrCat("you asked for ", path, "\n")};
                                      },
                                      options));
  }
  std::string Exchange(const std::string& request) const {
    const RawClient client(server_->port());
    client.Send(request);
    return client.ReadAll();
  }
  std::string Get(const std::string& path, const std::string& method = "GET") const {
    return Exchange(absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
  }

  static constexpr size_t kLarge = size_t{8} << 20;
  RealClock clock_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAndCloses) {
  Start();
  EXPECT_THAT(Get("/a"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Content-Length: 17\r\nConnection: close\r\n"),
                    EndsWith("\r\n\r\nyou asked for /a\n")));
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  Start();
  EXPECT_THAT(Get("/a", "HEAD"), AllOf(HasSubstr("Content-Length: 17\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(HttpServerTest, LargeResponsesArriveWhole) {
  Start();
  EXPECT_GT(Get("/large").size(), kLarge);
}

TEST_F(HttpServerTest, RequestsMayComeInPieces) {
  Start();
  const RawClient client(server_->port());
  for (const char* piece : {"GE", "T /pie", "ces HTTP/1.1\r\nHo", "st: x\r\n\r", "\n"}) {
    EXPECT_TRUE(client.Send(piece));
  }
  EXPECT_THAT(client.ReadAll(), HasSubstr("you asked for /pieces"));
}

TEST_F(HttpServerTest, ListensOnIpv6AndOnBoth) {
  if (!MachineHasIpv6()) GTEST_SKIP() << "no IPv6 here";
  for (const char* address : {"[::1]:0", "[::]:0"}) {
    Start({}, address);
    const RawClient client(server_->port(), AF_INET6);
    EXPECT_TRUE(client.Send("GET /six HTTP/1.1\r\n\r\n"));
    EXPECT_THAT(client.ReadAll(), HasSubstr("you asked for /six"));
  }
  EXPECT_THAT(Get("/four"), HasSubstr("you asked for /four"));
}

TEST_F(HttpServerTest, EndsWhileClientsAreConnected) {
  Start();
  const RawClient silent(server_->port());
  const RawClient partial(server_->port());
  EXPECT_TRUE(partial.Send("GET /a"));
  server_.reset();
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_EQ(partial.ReadAll(), "");
}

// Bad clients.

TEST_F(HttpServerTest, OtherMethodsAreNotAllowed) {
  Start();
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
    EXPECT_THAT(Get("/a", method),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")))
        << method;
  }
  EXPECT_THAT(Get("/a", "X"), StartsWith("HTTP/1.1 400 "));
  // The response survives a body that is not read.
  EXPECT_THAT(
      Exchange("POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'b')),
      StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, WhatIsNotHttp1IsRefused) {
  Start({.connection_time = absl::Seconds(1)});
  EXPECT_THAT(Exchange("GET /metrics\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Exchange("GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
  // No line ends here: the total time ends the connection.
  EXPECT_EQ(Exchange("\x16\x03\x01"), "");
}

TEST_F(HttpServerTest, AnExceptionIsA500) {
  Start();
  EXPECT_THAT(Get("/throw"), AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("a bug")));
  EXPECT_THAT(Get("/a"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, SilentClientsDoNotKeepAProbeWaiting) {
  Start({.max_connections = 8, .connection_time = absl::Hours(1)});
  std::list<RawClient> silent;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(silent.emplace_back(server_->port()).connected());
    silent.back().Send("GET /a");
  }
  EXPECT_THAT(Get("/a"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(silent.front().ReadAll(), "");  // the oldest made room
}

TEST_F(HttpServerTest, AcceptsAgainAfterDescriptorsRanOut) {
  Start();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit tight = limit;
  const int next = dup(0);
  close(next);
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;  // the client's descriptor is the last
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  const RawClient waiting(server_->port());
  EXPECT_TRUE(waiting.Send("GET /a HTTP/1.1\r\n\r\n"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_THAT(waiting.ReadAll(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, ASlowClientHasATotalTime) {
  Start({.connection_time = absl::Milliseconds(50)});
  const RawClient client(server_->port());
  EXPECT_TRUE(client.Send("G"));
  while (client.Send("E")) {  // never idle; ends when the server closes
  }
}

TEST_F(HttpServerTest, AClientThatDoesNotReadHasATotalTime) {
  Start({.connection_time = absl::Milliseconds(50)});
  const RawClient client(server_->port());
  EXPECT_TRUE(client.Send("GET /large HTTP/1.1\r\n\r\n"));
  while (client.Send("x")) {
  }
  EXPECT_THAT(Get("/a"), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace sigserve
