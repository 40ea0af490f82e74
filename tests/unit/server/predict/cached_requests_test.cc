// What a frontend knows of earlier requests changes no answer: mutants are sent to one that has
// seen thousands and to one that has seen nothing, and both answer with the same bytes. The seed is
// fixed.
#include <google/protobuf/stubs/logging.h>

#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/repository/repository.h"
#include "server/predict/prediction_frontend.h"
#include "server/registry/model_registry.h"
#include "sigserve/v1/prediction.pb.h"
#include "tests/support/fake_message.h"
#include "tests/support/no_records.h"
#include "tests/support/prediction_methods.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::FakeMessage;
using testing_support::kModelInfer;
using testing_support::kModelStreamInfer;
using testing_support::kPredict;
using testing_support::kPredictStream;
using testing_support::PredictionMethod;
using testing_support::PredictionMethods;

constexpr char kModel[] = "linear_3_2";
constexpr int kRows = 2;

class CachedRequestsTest : public testing::TestWithParam<PredictionMethod> {
 protected:
  CachedRequestsTest()
      : repository_(&files_, SIGSERVE_SOURCE_DIR "/deploy/examples/repository"),
        registry_(ModelRegistry::Create(&repository_, &files_, &clock_,
                                        [](const std::string&, bool) {})) {
    google::protobuf::SetLogHandler(nullptr);  // it reports every mutant that is no UTF-8
    EXPECT_OK(registry_->Reload(kModel));
  }

  std::unique_ptr<PredictionFrontend> MakeFrontend() {
    return std::make_unique<PredictionFrontend>(registry_.get(), &recorder_, &clock_, 1 << 20);
  }

  /// With values of its own, and ids on the streams.
  std::string Request() {
    std::vector<float> values(3 * kRows);
    for (float& value : values) value = static_cast<float>(random_() % 7) - 3;
    const std::string bytes(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(float));
    if (GetParam() == kModelInfer || GetParam() == kModelStreamInfer) {
      inference::ModelInferRequest request;
      request.set_model_name(kModel);
      (*request.mutable_parameters())["priority"].set_int64_param(1);
      (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(false);
      auto* input = request.add_inputs();
      input->set_name(std::string("x"));
      input->set_datatype(std::string("FP32"));
      input->add_shape(kRows);
      input->add_shape(3);
      request.add_raw_input_contents(bytes);
      return request.SerializeAsString();
    }
    v1::PredictRequest request;
    request.mutable_model()->set_name(kModel);
    if (random_() % 2 == 0) {
      request.set_matrix(bytes);
    } else {
      v1::Tensor* x = request.add_inputs();
      x->add_shape(kRows);
      x->add_shape(3);
      x->set_data(bytes);
    }
    request.set_return_logits(true);
    if (GetParam() == kPredict) return request.SerializeAsString();
    v1::PredictStreamRequest message;
    message.set_id(random_() % 1000);
    *message.mutable_request() = request;
    return message.SerializeAsString();
  }

  std::string Mutant() {
    std::string bytes = Request();
    for (unsigned edits = random_() % 3; edits > 0; --edits) {
      bytes[random_() % bytes.size()] = static_cast<char>(random_() % 256);
    }
    if (random_() % 16 == 0) bytes.resize(random_() % bytes.size());
    if (random_() % 16 == 0) bytes += Request();
    return bytes;
  }

  static std::string Answer(PredictionFrontend& frontend, PredictionMethod method,
                            const std::string& bytes) {
    FakeMessage message(bytes);
    PredictionMethods(&frontend).Send(method, &message);
    frontend.OnDrained();
    if (!message.status.has_value()) return "none";
    return message.status->ok() ? message.reply : message.status->ToString();
  }

  std::minstd_rand random_{1};  // the same mutants every time
  PosixFileSystem files_;
  FakeClock clock_;
  Repository repository_;
  std::unique_ptr<ModelRegistry> registry_;
  testing_support::NoRecords recorder_;
};

TEST_P(CachedRequestsTest, AreAnsweredAsNewOnesAre) {
  const std::unique_ptr<PredictionFrontend> experienced = MakeFrontend();
  std::set<std::string> answers;
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes = Mutant();
    const std::string expected = Answer(*MakeFrontend(), GetParam(), bytes);
    for (int times = 0; times < 3; ++times) {
      ASSERT_EQ(Answer(*experienced, GetParam(), bytes), expected) << i << ", " << times;
    }
    answers.insert(expected);
  }
  EXPECT_GT(answers.size(), 1000U);
}

std::string NameOf(const testing::TestParamInfo<PredictionMethod>& info) {
  static const char* const kNames[] = {"ModelInfer", "ModelStreamInfer", "Predict",
                                       "PredictStream"};
  return kNames[info.param];
}

INSTANTIATE_TEST_SUITE_P(EveryMethod, CachedRequestsTest,
                         testing::Values(kModelInfer, kModelStreamInfer, kPredict, kPredictStream),
                         NameOf);

}  // namespace
}  // namespace sigserve
