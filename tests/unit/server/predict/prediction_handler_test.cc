#include "server/predict/prediction_handler.h"

#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_servable.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::FakeServable;
using testing_support::SigmoidSignature;

/// Knows one model, "m", and that "broken" exists.
class FakeRegistry final : public ModelRegistry {
 public:
  explicit FakeRegistry(ServableHandle servable) : servable_(std::move(servable)) {}
  absl::Status ReloadAll() override { return absl::OkStatus(); }
  absl::Status Reload(absl::string_view) override { return absl::OkStatus(); }
  bool UnloadedByHand(absl::string_view) const override { return false; }
  absl::Status Unload(absl::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<ServableHandle> Find(const ModelQuery& query) const override {
    if (query.model == "m") return servable_;
    if (query.model == "broken") return absl::UnavailableError("'broken' did not load");
    return absl::NotFoundError("no such model; there are: m");
  }
  std::vector<VersionStatus> List() const override { return {}; }
  std::vector<VersionStatus> Versions(absl::string_view model) const override {
    if (model != "m" && model != "broken") return {};
    return {{std::string(model), 3, VersionState::kReady, ""}};
  }

 private:
  const ServableHandle servable_;
};

struct Kept {
  std::string model, method;
  int64_t version, rows, batch_rows;
  absl::StatusCode code;
};
class KeepingRecorder final : public RequestRecorder {
 public:
  void RecordAll(absl::Span<const RequestRecord> records) override {
    for (const RequestRecord& r : records) {
      kept.push_back({std::string(r.model), std::string(Name(r.method)), r.version, r.rows,
                      r.batch_rows, r.code});
    }
  }
  void RecordBatch(absl::string_view, absl::string_view) override {}
  std::vector<Kept> kept;
};

class PredictionHandlerTest : public testing::Test {
 protected:
  PredictionHandlerTest()
      : servable_(std::make_shared<FakeServable>(SigmoidSignature())),
        registry_(servable_),
        handler_(&registry_, &recorder_, &clock_, nullptr) {
    servable_->outputs.outputs.push_back(Tensor::Of<float>({1, 2}, {0.25F, 0.75F}));
  }

  static v1::PredictRequest Ask(const std::string& model, int values = 3) {
    v1::PredictRequest request;
    request.mutable_model()->set_name(model);
    v1::Tensor* x = request.add_inputs();
    x->add_shape(1);
    x->add_shape(3);
    for (int i = 0; i < values; ++i) x->add_float_values(1);
    return request;
  }

  absl::Status Predict(const v1::PredictRequest& request, CallContext call = {}) {
    call.method = PredictMethod::kPredict;
    absl::Status result = absl::UnknownError("not called");
    response_.Clear();
    handler_.Predict(request, std::move(call), &response_,
                     [&](const absl::Status& status) { result = status; });
    return result;
  }

  std::shared_ptr<FakeServable> servable_;
  FakeRegistry registry_;
  FakeClock clock_;
  KeepingRecorder recorder_;
  PredictionHandler handler_;
  v1::PredictResponse response_;
};

TEST_F(PredictionHandlerTest, AnAnswerOverTheLimitIsRefusedAndRecordedSo) {
  servable_->outputs.outputs[0] = Tensor(DType::kFloat32, Shape{1, 5000});
  PredictionHandler small(&registry_, &recorder_, &clock_, nullptr, 20'000);
  absl::Status result;
  small.Predict(Ask("m"), {.method = PredictMethod::kPredict}, &response_,
                [&](const absl::Status& status) { result = status; });
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kResourceExhausted,
                               testing::HasSubstr("20000 bytes; the limit is 20000")));
  EXPECT_EQ(response_.outputs_size(), 0);
  ASSERT_EQ(recorder_.kept.size(), 1U);
  EXPECT_EQ(recorder_.kept[0].code, absl::StatusCode::kResourceExhausted);
}

TEST_F(PredictionHandlerTest, AnAnswerAndItsRecord) {
  EXPECT_OK(Predict(Ask("m")));
  EXPECT_EQ(response_.outputs(0).probabilities(1), 0.75F);
  EXPECT_EQ(response_.model_version(), 3);
  ASSERT_EQ(recorder_.kept.size(), 1U);
  const Kept& kept = recorder_.kept[0];
  EXPECT_EQ(kept.model, "m");
  EXPECT_EQ(kept.method, "Predict");
  EXPECT_EQ(kept.version, 3);
  EXPECT_EQ(kept.rows, 1);
  EXPECT_EQ(kept.batch_rows, 1);
  EXPECT_EQ(kept.code, absl::StatusCode::kOk);
}

TEST_F(PredictionHandlerTest, EveryErrorIsRecordedAndMadeUpNamesAreNot) {
  CallContext late;
  late.deadline = clock_.Monotonic();
  CallContext gone;
  gone.cancelled = [] { return true; };
  struct Case {
    v1::PredictRequest request;
    CallContext call;
    absl::StatusCode code;
    const char* recorded_model;
  };
  for (const Case& c :
       std::vector<Case>{{Ask("made-up"), {}, absl::StatusCode::kNotFound, ""},
                         {Ask(""), {}, absl::StatusCode::kInvalidArgument, ""},
                         {Ask("broken"), {}, absl::StatusCode::kUnavailable, "broken"},
                         {Ask("m", 2), {}, absl::StatusCode::kInvalidArgument, "m"},
                         {Ask("m"), late, absl::StatusCode::kDeadlineExceeded, "m"},
                         {Ask("m"), gone, absl::StatusCode::kCancelled, "m"}}) {
    recorder_.kept.clear();
    EXPECT_EQ(Predict(c.request, c.call).code(), c.code);
    ASSERT_EQ(recorder_.kept.size(), 1U);
    EXPECT_EQ(recorder_.kept[0].code, c.code);
    EXPECT_EQ(recorder_.kept[0].model, c.recorded_model);
  }
}

TEST_F(PredictionHandlerTest, AnErrorOfTheRunIsTheAnswer) {
  servable_->status = absl::ResourceExhaustedError("the queue is full");
  EXPECT_THAT(Predict(Ask("m")),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("queue is full")));
}

TEST_F(PredictionHandlerTest, OipTimeoutShortensTheDeadline) {
  inference::ModelInferRequest request;
  request.set_model_name("m");
  auto* x = request.add_inputs();
  x->set_name("x");
  x->set_datatype("FP32");
  x->add_shape(1);
  x->add_shape(3);
  request.add_raw_input_contents(std::string(12, '\0'));
  const auto infer = [&](absl::Duration time_left) {
    CallContext call;
    call.deadline = clock_.Monotonic() + time_left;
    inference::ModelInferResponse response;
    absl::Status result;
    handler_.Infer(request, call, &response, [&](const absl::Status& s) { result = s; });
    return result;
  };
  EXPECT_OK(infer(absl::InfiniteDuration()));
  EXPECT_EQ(servable_->last_deadline, MonotonicTime::InfiniteFuture());
  clock_.Advance(absl::Seconds(100));
  (*request.mutable_parameters())["timeout"].set_int64_param(250);
  EXPECT_OK(infer(absl::Seconds(1)));
  EXPECT_EQ(servable_->last_deadline.since_start(), absl::Seconds(100) + absl::Microseconds(250));
  EXPECT_OK(infer(absl::Microseconds(10)));
  EXPECT_EQ(servable_->last_deadline.since_start(), absl::Seconds(100) + absl::Microseconds(10));
  (*request.mutable_parameters())["timeout"].set_string_param("soon");
  EXPECT_THAT(infer(absl::Seconds(1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'timeout'")));
}

}  // namespace
}  // namespace sigserve
