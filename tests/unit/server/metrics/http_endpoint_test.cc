#include "server/metrics/http_endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A connection that has sent `request`; -1 when that failed.
int Send(int port, const std::string& request) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<uint16_t>(port));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    return fd;
  }
  close(fd);
  return -1;
}

// One exchange over a raw socket; the whole response, or what came before 4 s of silence.
std::string Exchange(int port, const std::string& request) {
  const int fd = Send(port, request);
  std::string response;
  if (fd >= 0) {
    const timeval patience{4, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char buffer[4096];
    ssize_t got = 0;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
      response.append(buffer, static_cast<size_t>(got));
    }
  }
  close(fd);
  return response;
}

class HttpEndpointTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto endpoint = HttpEndpoint::Start(
        "127.0.0.1:0", {.metrics = [] { return std::string("a_metric 1\n"); },
                        .readiness =
                            [] {
                              return ready_ ? absl::OkStatus()
                                            : absl::UnavailableError("models are being loaded");
                            }});
    ASSERT_OK(endpoint);
    endpoint_ = endpoint->release();
  }
  static void TearDownTestSuite() { delete endpoint_; }

  static std::string Get(const std::string& path, const std::string& method = "GET") {
    return Exchange(endpoint_->port(), absl::StrCat(method, " ", path,
                                                    " HTTP/1.1\r\nHost: x\r\nContent-Length: "
                                                    "0\r\nConnection: close\r\n\r\n"));
  }

  static inline HttpEndpoint* endpoint_ = nullptr;
  static inline std::atomic<bool> ready_ = true;
};

TEST_F(HttpEndpointTest, Metrics) {
  EXPECT_THAT(Get("/metrics"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("a_metric 1\n"),
                                     HasSubstr("text/plain; version=0.0.4")));
}

TEST_F(HttpEndpointTest, HealthIsOkWhileTheProcessLives) {
  EXPECT_THAT(Get("/healthz"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\r\n\r\nok\n")));
}

TEST_F(HttpEndpointTest, ReadinessFollowsTheServer) {
  ready_ = true;
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 "));
  ready_ = false;
  EXPECT_THAT(Get("/readyz"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("not ready: models are being loaded")));
}

TEST_F(HttpEndpointTest, AnythingElseIsNotFound) {
  for (const char* path : {"/", "/metrics/", "/metricsx", "/../etc/passwd", "/healthz/x"}) {
    EXPECT_THAT(Get(path), testing::Not(StartsWith("HTTP/1.1 200"))) << path;
  }
  EXPECT_THAT(Get("/"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(HttpEndpointTest, OtherMethodsAreNotAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    EXPECT_THAT(Get("/metrics", method), StartsWith("HTTP/1.1 405 ")) << method;
  }
}

TEST_F(HttpEndpointTest, SilentClientsDoNotKeepAProbeWaiting) {
  std::vector<int> silent;
  for (int i = 0; i < 12; ++i) silent.push_back(Send(endpoint_->port(), "GET /hea"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
  for (const int fd : silent) close(fd);
}

TEST_F(HttpEndpointTest, GarbageLeavesItAlive) {
  Exchange(endpoint_->port(), "\x16\x03\x01 not http\r\n\r\n");
  Exchange(endpoint_->port(), "GET " + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpEndpointTest, ATakenPortIsAnErrorThatNamesIt) {
  const std::string address = absl::StrCat("127.0.0.1:", endpoint_->port());
  EXPECT_THAT(HttpEndpoint::Start(address, {}),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr(absl::StrCat("cannot listen for HTTP on '", address, "'"))));
}

TEST_F(HttpEndpointTest, AListOfPortsIsNoAddress) {
  EXPECT_THAT(HttpEndpoint::Start("127.0.0.1:0,127.0.0.1:0", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected HOST:PORT")));
}

}  // namespace
}  // namespace sigserve
