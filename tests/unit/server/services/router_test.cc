#include "server/services/router.h"

#include <google/protobuf/descriptor.h>

#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/clock.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/training_service.h"
#include "tests/support/fake_message.h"
#include "tests/support/no_records.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::FakeMessage;
using testing_support::StatusIs;

class RouterTest : public testing::Test {
 protected:
  /// The answer of a method of ours to these bytes.
  FakeMessage Send(ServiceMethod method, const std::string& bytes) {
    const std::vector<ServiceMethod> methods{std::move(method)};
    FakeMessage message(static_cast<int>(PredictionFrontend::Methods().size()), bytes);
    ControlThreads threads;
    ControlThreads loads(1);
    Router router(std::make_unique<PredictionFrontend>(nullptr, &recorder_, &clock_, 1 << 20),
                  &methods, &threads, &loads);
    router.OnMessage(&message);
    router.OnDrained();
    return message;
  }

  testing_support::NoRecords recorder_;
  RealClock clock_;
};

using Bytes = absl::Span<const absl::string_view>;

TEST_F(RouterTest, RunsMethodsWhereTheyBelong) {
  for (const RunsOn runs_on : {RunsOn::kIoThread, RunsOn::kControlThread, RunsOn::kLoadThread}) {
    std::thread::id ran_on;
    const auto answer = [&](Bytes bytes, std::string* reply) {
      ran_on = std::this_thread::get_id();
      *reply = absl::StrCat("<", bytes[0], ">");
      return absl::OkStatus();
    };
    const FakeMessage message =
        Send({.transport = {.path = "/s/m"}, .answer = answer, .runs_on = runs_on}, "hello");
    ASSERT_TRUE(message.status.has_value());
    EXPECT_OK(*message.status);
    EXPECT_EQ(message.reply, "<hello>");
    EXPECT_EQ(ran_on == std::this_thread::get_id(), runs_on == RunsOn::kIoThread);
  }
}

TEST_F(RouterTest, LargeRequestsLeaveTheIoThread) {
  std::thread::id ran_on;
  const auto answer = [&](Bytes, std::string*) {
    ran_on = std::this_thread::get_id();
    return absl::OkStatus();
  };
  const ServiceMethod method{
      .transport = {.path = "/s/m"}, .answer = answer, .runs_on = RunsOn::kIoThread};
  EXPECT_OK(*Send(method, std::string(4096, 'x')).status);
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_OK(*Send(method, std::string(4097, 'x')).status);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(RouterTest, ErrorsAreAnswersAndSoAreExceptions) {
  const auto failing = [](absl::Status status) {
    return ServiceMethod{.transport = {.path = "/s/m"},
                         .answer = [status](Bytes, std::string*) { return status; }};
  };
  EXPECT_EQ(*Send(failing(absl::NotFoundError("none")), "").status, absl::NotFoundError("none"));
  EXPECT_THAT(*Send({.transport = {.path = "/s/m"},
                     .answer = [](Bytes, std::string*) -> absl::Status { throw std::bad_alloc(); }},
                    "")
                   .status,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("memory")));
  EXPECT_THAT(
      *Send({.transport = {.path = "/s/m"},
             .answer = [](Bytes, std::string*) -> absl::Status { throw std::runtime_error("x"); }},
            "")
           .status,
      StatusIs(absl::StatusCode::kInternal, HasSubstr("/s/m: x")));
}

TEST_F(RouterTest, RequestsAreParsed) {
  HealthService health;
  health.Set("m", false);
  const ServiceMethod check = health.Methods().front();
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("m");
  const FakeMessage message = Send(check, request.SerializeAsString());
  EXPECT_OK(*message.status);
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(response.ParseFromString(message.reply));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_THAT(*Send(check, "\xFF").status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HealthCheckRequest")));
}

TEST(Methods, EveryMethodOfEveryServiceIsServedOnce) {
  RealClock clock;
  HealthService health;
  ModelService models(nullptr, nullptr);
  InferenceService inference(nullptr, nullptr, nullptr, {});
  TrainingService training(absl::UnimplementedError("off"), &clock, absl::Hours(1));
  std::vector<ServiceMethod> methods = health.Methods();
  for (const auto& more : {models.Methods(), inference.Methods(), training.Methods()}) {
    methods.insert(methods.end(), more.begin(), more.end());
  }
  ReflectionService reflection(Router::Methods(methods));
  methods.push_back(reflection.Method());
  std::multiset<std::string> served;
  for (const TransportMethod& method : Router::Methods(methods)) served.insert(method.path);
  std::multiset<std::string> described;
  for (const std::string& name : reflection.services()) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      described.insert(absl::StrCat("/", name, "/", service->method(i)->name()));
    }
  }
  EXPECT_EQ(served, described);
  EXPECT_EQ(reflection.services().size(), 6U);
}

}  // namespace
}  // namespace sigserve
