#include "server/codec/payloads.h"

#include <google/protobuf/stubs/logging.h>

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"
#include "server/codec/inference_codec.h"
#include "server/codec/prediction_codec.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve {
namespace {

/// Parses what Cut leaves and puts the payloads back, in a PredictRequest.
bool CutAndRestore(const std::string& bytes, v1::PredictRequest* request) {
  Payloads payloads;
  if (!payloads.Cut(bytes, PredictPayloads())) return request->ParseFromString(bytes);
  if (!request->ParseFromArray(payloads.rest().data(), static_cast<int>(payloads.rest().size()))) {
    return false;
  }
  for (v1::Tensor& tensor : *request->mutable_inputs()) {
    tensor.set_data(std::string(payloads.Of(tensor.data())));
  }
  request->set_matrix(std::string(payloads.Of(request->matrix())));
  return true;
}

v1::PredictRequest TwoTensors() {
  v1::PredictRequest request;
  request.mutable_model()->set_name("m");
  for (const char* name : {"a", "b"}) {
    v1::Tensor* tensor = request.add_inputs();
    tensor->set_name(name);
    tensor->add_shape(1);
    tensor->set_data(std::string(200, name[0]));
  }
  request.add_outputs()->assign(1, 'y');
  request.set_return_timing(true);
  return request;
}

TEST(PayloadsTest, ViewsPointIntoTheMessageAndTheRestIsSmall) {
  const std::string bytes = TwoTensors().SerializeAsString();
  Payloads payloads;
  ASSERT_TRUE(payloads.Cut(bytes, PredictPayloads()));
  EXPECT_LT(payloads.rest().size(), 60U);
  v1::PredictRequest request;
  ASSERT_TRUE(request.ParseFromArray(payloads.rest().data(), payloads.rest().size()));
  for (int i = 0; i < 2; ++i) {
    const absl::string_view data = payloads.Of(request.inputs(i).data());
    EXPECT_EQ(data, TwoTensors().inputs(i).data());
    EXPECT_GE(data.data(), bytes.data());
    EXPECT_LE(data.data() + data.size(), bytes.data() + bytes.size());
  }
}

std::string Stream(uint64_t id, const v1::PredictRequest& request) {
  v1::PredictStreamRequest message;
  message.set_id(id);
  *message.mutable_request() = request;
  return message.SerializeAsString();
}

TEST(EnvelopeTest, TheNumberAndTheMessageWithin) {
  for (const uint64_t id : {uint64_t{0}, uint64_t{7}, ~uint64_t{0}}) {
    const std::string bytes = Stream(id, TwoTensors());
    uint64_t number = 1;
    absl::string_view inside;
    ASSERT_TRUE(kPredictStreamEnvelope.Open(bytes, &number, &inside));
    EXPECT_EQ(number, id);
    EXPECT_EQ(inside, TwoTensors().SerializeAsString());
    EXPECT_GE(inside.data(), bytes.data());
    EXPECT_LE(inside.data() + inside.size(), bytes.data() + bytes.size());
  }
}

TEST(EnvelopeTest, WhatElseThereIsIsLeftToProtobuf) {
  const std::string good = Stream(7, TwoTensors());
  uint64_t number = 0;
  absl::string_view inside;
  EXPECT_FALSE(kPredictStreamEnvelope.Open("", &number, &inside));
  EXPECT_FALSE(kPredictStreamEnvelope.Open("\x08\x07", &number, &inside)) << "no request";
  EXPECT_FALSE(kPredictStreamEnvelope.Open(good + good, &number, &inside)) << "merged";
  EXPECT_FALSE(kPredictStreamEnvelope.Open(good + "\x18\x01", &number, &inside)) << "field 3";
  EXPECT_FALSE(kPredictStreamEnvelope.Open(good + std::string(1, '\0'), &number, &inside));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(kPredictStreamEnvelope.Open(good.substr(0, length), &number, &inside)) << length;
  }
}

TEST(EnvelopeTest, TagsAndLengthsThatProtobufRefuses) {
  const std::string request = TwoTensors().SerializeAsString().substr(0, 5);  // the model's
  for (const std::string& bytes : {std::string("\x88\x80\x80\x80\x80\x00\x07\x12\x05", 9) + request,
                                   std::string("\x08\x07\x12\x85\x80\x80\x80\x80\x00", 9) + request,
                                   std::string("\x08\x07\x12\x85\x80\x80\x80\x10", 8) + request}) {
    EXPECT_FALSE(v1::PredictStreamRequest().ParseFromString(bytes));
    uint64_t number = 0;
    absl::string_view inside;
    EXPECT_FALSE(kPredictStreamEnvelope.Open(bytes, &number, &inside));
  }
  const std::string good = std::string("\x08\x07\x12\x05") + request;
  EXPECT_TRUE(v1::PredictStreamRequest().ParseFromString(good));
  uint64_t number = 0;
  absl::string_view inside;
  EXPECT_TRUE(kPredictStreamEnvelope.Open(good, &number, &inside));
}

// Whatever the bytes: if it opens, Protobuf finds the same within.
TEST(EnvelopeTest, MutantsOpenAsProtobufReadsThem) {
  google::protobuf::SetLogHandler(nullptr);  // it reports every mutant that is no UTF-8
  const std::string good = Stream(300, TwoTensors());
  std::minstd_rand random(1);  // the same mutants every time
  int opened = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes = good.substr(0, 1 + random() % good.size());
    if (random() % 2 == 0) bytes = good;
    for (unsigned n = random() % 3; n > 0; --n) {
      bytes[random() % std::min<size_t>(bytes.size(), 24)] = static_cast<char>(random());
    }
    uint64_t number = 0;
    absl::string_view inside;
    if (!kPredictStreamEnvelope.Open(bytes, &number, &inside)) continue;
    ++opened;
    v1::PredictRequest request;
    const bool parses = request.ParseFromArray(inside.data(), static_cast<int>(inside.size()));
    v1::PredictStreamRequest whole;
    ASSERT_EQ(whole.ParseFromString(bytes), parses);
    if (!parses) continue;
    ASSERT_EQ(whole.id(), number);
    ASSERT_EQ(whole.request().SerializeAsString(), request.SerializeAsString());
  }
  EXPECT_GT(opened, 1000);
}

TEST(PayloadsTest, RawContentsEmptyOnesToo) {
  inference::ModelInferRequest request;
  request.set_model_name("m");
  for (const char* raw : {"abcd", "", "efgh"}) request.add_raw_input_contents(raw);
  const std::string bytes = request.SerializeAsString();
  Payloads payloads;
  ASSERT_TRUE(payloads.Cut(bytes, InferPayloads()));
  inference::ModelInferRequest parsed;
  ASSERT_TRUE(parsed.ParseFromArray(payloads.rest().data(), payloads.rest().size()));
  ASSERT_EQ(parsed.raw_input_contents_size(), 3);
  EXPECT_EQ(payloads.Of(parsed.raw_input_contents(0)), "abcd");
  EXPECT_EQ(payloads.Of(parsed.raw_input_contents(1)), "");
  EXPECT_EQ(payloads.Of(parsed.raw_input_contents(2)), "efgh");
}

TEST(PayloadsTest, WhatIsNotWorthItIsParsedAsItIs) {
  Payloads payloads;
  EXPECT_FALSE(payloads.Cut("", PredictPayloads()));
  v1::PredictRequest none;
  none.mutable_model()->set_name("m");
  EXPECT_FALSE(payloads.Cut(none.SerializeAsString(), PredictPayloads())) << "no payload";
  EXPECT_EQ(payloads.Of("own"), "own");
  v1::PredictRequest much = TwoTensors();
  for (int i = 0; i < 2000; ++i) much.mutable_inputs(0)->add_float_values(1);
  EXPECT_FALSE(payloads.Cut(much.SerializeAsString(), PredictPayloads())) << "much else";
  EXPECT_FALSE(
      payloads.Cut(TwoTensors().SerializeAsString() + std::string(1, '\0'), PredictPayloads()))
      << "a tag of zero";
}

TEST(PayloadsTest, WhatIsGivenTwiceIsMergedAsProtobufMergesIt) {
  v1::PredictRequest again;
  again.set_matrix("second");
  v1::PredictRequest first = TwoTensors();
  first.set_matrix("first");
  v1::PredictRequest expected;
  const std::string bytes = first.SerializeAsString() + again.SerializeAsString();
  ASSERT_TRUE(expected.ParseFromString(bytes));
  v1::PredictRequest restored;
  ASSERT_TRUE(CutAndRestore(bytes, &restored));
  EXPECT_EQ(restored.SerializeAsString(), expected.SerializeAsString());
  EXPECT_EQ(restored.matrix(), "second");
}

// Protobuf reads a length of 5 bytes, whatever leading zeros are among them, and refuses 6.
TEST(PayloadsTest, ALengthHasAtMostFiveBytes) {
  const std::string matrix = "\x1A";                          // field 3
  const std::string five("\x84\x80\x80\x80\x00wxyz", 9);      // 4, and the bytes
  const std::string six("\x84\x80\x80\x80\x80\x00wxyz", 10);  // the same
  Payloads payloads;
  ASSERT_TRUE(payloads.Cut(matrix + five, PredictPayloads()));
  v1::PredictRequest request;
  ASSERT_TRUE(CutAndRestore(matrix + five, &request));
  EXPECT_EQ(request.matrix(), "wxyz");
  EXPECT_FALSE(payloads.Cut(matrix + six, PredictPayloads()));
  EXPECT_FALSE(request.ParseFromString(matrix + six));
}

TEST(PayloadsTest, ALengthIsBelowTwoGigabytes) {
  const std::string four_and_more("\x1A\x84\x80\x80\x80\x10wxyz", 10);  // 4 + 2^32
  Payloads payloads;
  EXPECT_FALSE(payloads.Cut(four_and_more, PredictPayloads()));
  EXPECT_FALSE(v1::PredictRequest().ParseFromString(four_and_more));
}

// Whatever the bytes, the outcome is Protobuf's.
TEST(PayloadsTest, MutantsParseAsTheyWouldUncut) {
  google::protobuf::SetLogHandler(nullptr);  // it reports every mutant that is no UTF-8
  const std::string good = TwoTensors().SerializeAsString();
  std::minstd_rand random(1);  // the same mutants every time
  int cut = 0;
  int parsed = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = good;
    for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    v1::PredictRequest expected;
    const bool parses = expected.ParseFromString(bytes);
    v1::PredictRequest restored;
    ASSERT_EQ(CutAndRestore(bytes, &restored), parses) << i;
    Payloads payloads;
    if (payloads.Cut(bytes, PredictPayloads())) ++cut;
    if (!parses) continue;
    ++parsed;
    ASSERT_EQ(restored.SerializeAsString(), expected.SerializeAsString()) << i;
  }
  EXPECT_GT(cut, 10'000);
  EXPECT_GT(parsed, 10'000);
}

}  // namespace
}  // namespace sigserve
