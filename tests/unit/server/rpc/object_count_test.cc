#include "server/rpc/object_count.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string>

#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve {
namespace {

int64_t Count(const std::string& bytes, const google::protobuf::Descriptor& type,
              int64_t limit = 1000) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return CountObjects(&stream, type, limit);
}

std::string Repeated(const std::string& field, int times) {
  std::string bytes;
  for (int i = 0; i < times; ++i) bytes += field;
  return bytes;
}

TEST(CountObjects, CountsStringsAndMessagesAtAnyDepthButNotNumbers) {
  inference::ModelInferRequest request;
  EXPECT_EQ(Count(request.SerializeAsString(), *request.descriptor()), 0);
  request.set_model_name("m");         // 1
  auto* input = request.add_inputs();  // 2
  input->set_name("x");                // 3
  input->set_datatype("FP32");         // 4
  for (int i = 0; i < 50; ++i) input->add_shape(i);
  auto* contents = input->mutable_contents();  // 5
  for (int i = 0; i < 500; ++i) contents->add_fp32_contents(0.5F);
  (*input->mutable_parameters())["p"].set_int64_param(1);  // 6: entry, 7: key, 8: value
  request.add_raw_input_contents(std::string(5000, 'x'));  // 9
  EXPECT_EQ(Count(request.SerializeAsString(), *request.descriptor()), 9);
}

TEST(CountObjects, EmptyValuesCountAndTheCountStopsAtTheLimit) {
  const auto& type = *inference::ModelInferRequest::descriptor();
  EXPECT_EQ(Count(Repeated(std::string("\x2a\0", 2), 300), type), 300);  // inputs
  EXPECT_EQ(Count(Repeated(std::string("\x3a\0", 2), 300), type), 300);  // raw_input_contents
  EXPECT_EQ(Count(Repeated(std::string("\x2a\0", 2), 3000), type), 1001);
  EXPECT_EQ(Count(Repeated("\x7a\x01z", 300), type), 300);  // an unknown field
  v1::PredictStreamRequest nested;
  for (int i = 0; i < 30; ++i) nested.mutable_request()->add_inputs();
  EXPECT_EQ(Count(nested.SerializeAsString(), *nested.descriptor()), 31);
}

TEST(CountObjects, SkipsEveryWireType) {
  const auto& type = *inference::ModelInferRequest::descriptor();
  const std::string model("\x0a\x01m", 3);
  // Unknown fields 100 as varint, fixed64, fixed32, and a group with a nested group; each counts.
  for (const std::string& field :
       {std::string("\xa0\x06\xff\x01"), "\xa1\x06" + std::string(8, 'x'),
        "\xa5\x06" + std::string(4, 'x'),
        std::string("\xa3\x06\x08\x01\x13\x08\x01\x14\xa4\x06")}) {
    EXPECT_EQ(Count(field + model, type), 2);
  }
}

TEST(CountObjects, DeepNestingEndsTheCount) {
  const auto& type = *inference::ModelInferRequest::descriptor();
  EXPECT_EQ(Count(Repeated("\xa3\x06", 100000), type), 1);
}

TEST(CountObjects, MalformedBytesEndTheCount) {
  const auto& type = *inference::ModelInferRequest::descriptor();
  EXPECT_EQ(Count("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", type), 0);
  EXPECT_EQ(Count("\x2a\x7f", type), 1);  // an input of 127 missing bytes
}

}  // namespace
}  // namespace sigserve
