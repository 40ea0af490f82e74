#include "server/services/health_service.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_stream.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::ElementsAre;
using testing_support::FakeStream;
using testing_support::StatusIs;

HealthCheckRequest Of(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

HealthCheckResponse::ServingStatus Check(HealthService* health, const std::string& service) {
  HealthCheckResponse response;
  EXPECT_OK(health->Check(Of(service), &response));
  return response.status();
}

TEST(HealthServiceTest, ReportsTheServerAndItsModels) {
  HealthService health;
  health.Set("model", false);
  EXPECT_EQ(Check(&health, ""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(&health, "model"), HealthCheckResponse::NOT_SERVING);
  health.Set("model", true);
  EXPECT_EQ(Check(&health, "model"), HealthCheckResponse::SERVING);
  HealthCheckResponse response;
  EXPECT_THAT(health.Check(Of("other"), &response),
              StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr("'other'")));
}

TEST(HealthServiceTest, NothingServesAfterShutdown) {
  HealthService health;
  health.Shutdown();
  health.Set("model", true);
  EXPECT_EQ(Check(&health, ""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(&health, "model"), HealthCheckResponse::NOT_SERVING);
}

class WatchTest : public testing::Test {
 protected:
  void Watch(const std::string& service) {
    reactor_ = OpenWatch();
    reactor_->OnStart(&stream_);
    ASSERT_TRUE(stream_.reading);
    stream_.Deliver(reactor_.get(), Of(service).SerializeAsString());
  }
  std::shared_ptr<StreamReactor> OpenWatch() {
    return std::get<StreamReactorFactory>(health_.Methods().back().handler)();
  }
  void WriteDone() { stream_.WriteDone(reactor_.get()); }
  std::vector<int> Sent() const {
    std::vector<int> sent;
    for (const std::string& bytes : stream_.written) {
      HealthCheckResponse response;
      EXPECT_TRUE(response.ParseFromString(bytes));
      sent.push_back(response.status());
    }
    return sent;
  }

  HealthService health_;
  FakeStream stream_;
  std::shared_ptr<StreamReactor> reactor_;
};

TEST_F(WatchTest, SendsTheStatusNowAndAtEveryChange) {
  Watch("model");
  EXPECT_THAT(Sent(), ElementsAre(HealthCheckResponse::SERVICE_UNKNOWN));
  WriteDone();
  health_.Set("model", true);
  WriteDone();
  health_.Set("model", true);   // no change
  health_.Set("other", false);  // not asked for
  health_.Shutdown();
  EXPECT_THAT(Sent(), ElementsAre(HealthCheckResponse::SERVICE_UNKNOWN,
                                  HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING));
  EXPECT_FALSE(stream_.finished.has_value());
}

TEST_F(WatchTest, ASlowClientReceivesOnlyTheLatest) {
  health_.Set("model", true);
  Watch("model");
  health_.Set("model", false);
  health_.Set("model", true);
  health_.Set("model", false);
  EXPECT_THAT(Sent(), ElementsAre(HealthCheckResponse::SERVING));
  WriteDone();
  EXPECT_THAT(Sent(), ElementsAre(HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING));
}

TEST_F(WatchTest, EndsWhenTheClientDisconnects) {
  Watch("");
  reactor_->OnCancel();
  EXPECT_FALSE(stream_.finished.has_value());  // a write is under way
  WriteDone();
  EXPECT_THAT(stream_.finished,
              testing::Optional(StatusIs(absl::StatusCode::kCancelled, testing::_)));
  reactor_->OnDone();
  reactor_.reset();
  health_.Shutdown();
  EXPECT_EQ(Sent().size(), 1U);
}

TEST_F(WatchTest, MalformedRequestsAreErrors) {
  Watch("");
  FakeStream stream;
  const std::shared_ptr<StreamReactor> reactor = OpenWatch();
  reactor->OnStart(&stream);
  stream.Deliver(reactor.get(), "\xFF");
  EXPECT_THAT(stream.finished,
              testing::Optional(StatusIs(absl::StatusCode::kInvalidArgument, testing::_)));
}

TEST_F(WatchTest, LongRequestsAreErrors) {
  Watch(std::string(5000, 'x'));
  EXPECT_THAT(stream_.finished,
              testing::Optional(StatusIs(absl::StatusCode::kInvalidArgument,
                                         testing::HasSubstr("the limit is 4096"))));
}

TEST_F(WatchTest, WithoutARequestItEnds) {
  reactor_ = OpenWatch();
  reactor_->OnStart(&stream_);
  reactor_->OnReadDone(false);
  EXPECT_THAT(stream_.finished,
              testing::Optional(StatusIs(absl::StatusCode::kCancelled, testing::_)));
}

}  // namespace
}  // namespace sigserve
