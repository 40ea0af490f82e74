// Mutated requests through the whole of our code, without a transport: whatever a client sends, it
// gets one answer, and the next good request gets the right one. The seed is fixed.
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "inference/grpc_service.pb.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/repository/repository.h"
#include "server/batching/drain_batcher.h"
#include "server/predict/prediction_handler.h"
#include "server/registry/model_registry.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

class CountingRecorder final : public RequestRecorder {
 public:
  void RecordAll(absl::Span<const RequestRecord> all) override {
    for (const RequestRecord& record : all) {
      ++records;
      EXPECT_TRUE(record.model.empty() || record.model == "linear_3_2") << record.model;
    }
  }
  void RecordBatch(absl::string_view, absl::string_view) override {}
  int records = 0;
};

class HandlerFuzzTest : public testing::Test {
 protected:
  HandlerFuzzTest()
      : repository_(&files_, SIGSERVE_SOURCE_DIR "/deploy/examples/repository"),
        registry_(
            ModelRegistry::Create(&repository_, &files_, &clock_, [](const std::string&, bool) {})),
        handler_(registry_.get(), &recorder_, &clock_, &batcher_) {
    google::protobuf::SetLogHandler(nullptr);  // it reports every mutant that is no UTF-8
    EXPECT_OK(registry_->Reload("linear_3_2"));
  }

  static v1::PredictRequest GoodPredict() {
    v1::PredictRequest request;
    request.mutable_model()->set_name("linear_3_2");
    v1::Tensor* x = request.add_inputs();
    x->add_shape(2);
    x->add_shape(3);
    for (const float value : {0.5F, -0.2F, 3.0F, 1.0F, 2.0F, 3.0F}) x->add_float_values(value);
    request.set_return_logits(true);
    request.set_return_decisions(true);
    return request;
  }
  static inference::ModelInferRequest GoodInfer() {
    inference::ModelInferRequest request;
    request.set_model_name("linear_3_2");
    auto* x = request.add_inputs();
    x->set_name("x");
    x->set_datatype("FP32");
    x->add_shape(1);
    x->add_shape(3);
    request.add_raw_input_contents(std::string(12, '\0'));
    request.add_outputs()->set_name("y");
    return request;
  }

  absl::Status Call(const v1::PredictRequest& request, v1::PredictResponse* response) {
    return Count([&](PredictionHandler::Done done) {
      handler_.Predict(request, {}, response, std::move(done));
    });
  }
  absl::Status Call(const inference::ModelInferRequest& request,
                    inference::ModelInferResponse* response) {
    return Count([&](PredictionHandler::Done done) {
      handler_.Infer(request, {}, response, std::move(done));
    });
  }

  template <typename Start>
  absl::Status Count(Start start) {
    int answers = 0;
    absl::Status result;
    start([&](const absl::Status& status) {
      ++answers;
      result = status;
    });
    batcher_.Drain();
    EXPECT_EQ(answers, 1);
    ++calls_;
    return result;
  }

  /// Flips, inserts, removes and repeats bytes of a good request; runs what still parses.
  template <typename Request, typename Response>
  void Mutate(const Request& good, int rounds) {
    std::mt19937 random(20240607);
    const std::string bytes = good.SerializeAsString();
    int parsed = 0;
    int answered = 0;
    for (int round = 0; round < rounds; ++round) {
      std::string mutant = bytes;
      const size_t changes = 1 + random() % 4;
      for (size_t c = 0; c < changes; ++c) {
        const size_t at = random() % (mutant.size() + 1);
        switch (random() % 4) {
          case 0:
            if (at < mutant.size()) mutant[at] = static_cast<char>(random());
            break;
          case 1:
            mutant.insert(at, 1, static_cast<char>(random()));
            break;
          case 2:
            mutant.erase(at, 1 + random() % 4);
            break;
          case 3:
            mutant.insert(at, mutant.substr(random() % (at + 1), random() % 16));
            break;
        }
        if (mutant.empty()) mutant = bytes;
      }
      Request request;
      if (!request.ParseFromString(mutant)) continue;
      ++parsed;
      Response response;
      answered += Call(request, &response).ok() ? 1 : 0;
    }
    EXPECT_GT(parsed, rounds / 20);  // else it tests the parser only
    EXPECT_LT(answered, parsed);
    EXPECT_EQ(recorder_.records, calls_);
    Response response;
    EXPECT_OK(Call(good, &response));
  }

  PosixFileSystem files_;
  RealClock clock_;
  Repository repository_;
  CountingRecorder recorder_;
  std::unique_ptr<ModelRegistry> registry_;
  DrainBatcher batcher_{{}, &clock_, {}};
  PredictionHandler handler_;
  int calls_ = 0;
};

TEST_F(HandlerFuzzTest, Predict) {
  Mutate<v1::PredictRequest, v1::PredictResponse>(GoodPredict(), 20000);
}

TEST_F(HandlerFuzzTest, Infer) {
  Mutate<inference::ModelInferRequest, inference::ModelInferResponse>(GoodInfer(), 20000);
}

}  // namespace
}  // namespace sigserve
