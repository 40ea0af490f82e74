#include "server/metrics/http_endpoint.h"

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpEndpointTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        endpoint_,
        StartHttpEndpoint("127.0.0.1:0", &clock_,
                          {.metrics = [] { return std::string("a_metric 1\n"); },
                           .readiness =
                               [this] {
                                 return ready_ ? absl::OkStatus()
                                               : absl::UnavailableError("models are being loaded");
                               }}));
  }
  std::string Get(const std::string& path) const {
    const testing_support::RawClient client(endpoint_->port());
    client.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    return client.ReadAll();
  }

  RealClock clock_;
  std::atomic<bool> ready_ = true;
  std::unique_ptr<HttpServer> endpoint_;
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

TEST_F(HttpEndpointTest, ATakenPortIsAnErrorThatSaysSo) {
  EXPECT_THAT(StartHttpEndpoint(endpoint_->address(), &clock_, {}),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       absl::StrCat("cannot listen for HTTP on '", endpoint_->address(),
                                    "': cannot bind ", endpoint_->address(),
                                    ": Address already in use; another process listens there")));
}

}  // namespace
}  // namespace sigserve
