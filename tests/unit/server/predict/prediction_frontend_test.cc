#include "server/predict/prediction_frontend.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/refusal.h"
#include "tests/support/fake_message.h"
#include "tests/support/fake_servable.h"
#include "tests/support/no_records.h"
#include "tests/support/prediction_methods.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::FakeMessage;
using testing_support::FakeServable;
using testing_support::kPredict;
using testing_support::kPredictStream;
using testing_support::PredictionMethod;
using testing_support::PredictionMethods;
using testing_support::SigmoidSignature;

class OneModel final : public ModelRegistry {
 public:
  explicit OneModel(ServableHandle servable) : servable_(std::move(servable)) {}
  absl::Status ReloadAll() override { return absl::OkStatus(); }
  absl::Status Reload(absl::string_view) override { return absl::OkStatus(); }
  bool UnloadedByHand(absl::string_view) const override { return false; }
  absl::Status Unload(absl::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<ServableHandle> Find(const ModelQuery&) const override { return servable_; }
  std::vector<VersionStatus> List() const override { return {}; }
  std::vector<VersionStatus> Versions(absl::string_view) const override { return {}; }

 private:
  const ServableHandle servable_;
};

class PredictionFrontendTest : public testing::Test {
 protected:
  static std::string Request() {
    v1::PredictRequest request;
    request.mutable_model()->set_name("m");
    v1::Tensor* x = request.add_inputs();
    x->add_shape(1);
    x->add_shape(3);
    for (int i = 0; i < 3; ++i) x->add_float_values(1);
    return request.SerializeAsString();
  }
  FakeMessage Send(PredictionMethod method, const std::string& bytes) {
    FakeMessage message(bytes);
    methods_.Send(method, &message);
    frontend_.OnDrained();
    return message;
  }

  std::shared_ptr<FakeServable> servable_ = std::make_shared<FakeServable>(SigmoidSignature());
  OneModel registry_{servable_};
  testing_support::NoRecords recorder_;
  FakeClock clock_;
  PredictionFrontend frontend_{&registry_, &recorder_, &clock_, 1 << 20};
  const testing_support::PredictionMethods methods_{&frontend_};
};

TEST_F(PredictionFrontendTest, Answers) {
  servable_->outputs.outputs.push_back(Tensor::Of<float>({1, 2}, {0.25F, 0.75F}));
  const FakeMessage message = Send(kPredict, Request());
  ASSERT_TRUE(message.status.has_value());
  EXPECT_OK(*message.status);
  v1::PredictResponse response;
  ASSERT_TRUE(response.ParseFromString(message.reply));
  EXPECT_EQ(response.outputs(0).probabilities(1), 0.75F);
}

// Failures.

TEST_F(PredictionFrontendTest, ARefusalTellsWhenToTryAgain) {
  servable_->status = Refusal("the queue is full", absl::Milliseconds(40));
  const FakeMessage message = Send(kPredict, Request());
  EXPECT_THAT(*message.status,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("queue is full")));
  EXPECT_EQ(message.retry_after, absl::Milliseconds(40));
}

TEST_F(PredictionFrontendTest, OnAStreamARefusalEndsItsMessageOnly) {
  v1::PredictStreamRequest request;
  request.set_id(7);
  ASSERT_TRUE(request.mutable_request()->ParseFromString(Request()));
  servable_->status = Refusal("the queue is full", absl::Milliseconds(40));
  const FakeMessage message = Send(kPredictStream, request.SerializeAsString());
  EXPECT_OK(*message.status);
  v1::PredictStreamResponse response;
  ASSERT_TRUE(response.ParseFromString(message.reply));
  EXPECT_EQ(response.id(), 7U);
  EXPECT_EQ(response.error().code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
}

// Protobuf keeps a string's bytes also when it refuses them.
TEST_F(PredictionFrontendTest, AnIdThatIsNotUtf8ComesBackEscaped) {
  const FakeMessage message = Send(testing_support::kModelStreamInfer,
                                   "\x1a\x04"
                                   "caf\xE9");
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(response.ParseFromString(message.reply));
  EXPECT_EQ(response.infer_response().id(), "caf\\xe9");
  EXPECT_NE(response.error_message(), "");
}

TEST_F(PredictionFrontendTest, OtherErrorsDoNot) {
  const FakeMessage message = Send(kPredict, "\xff\xff");
  EXPECT_THAT(*message.status, StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("do not encode a PredictRequest")));
  EXPECT_FALSE(message.retry_after.has_value());
}

}  // namespace
}  // namespace sigserve
