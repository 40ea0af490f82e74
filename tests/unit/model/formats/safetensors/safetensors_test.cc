#include "model/formats/safetensors/safetensors.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Length(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

std::string File(const std::string& header, const std::string& data = "") {
  return Length(header.size()) + header + data;
}

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

TEST(ReadSafetensors, ReadsEveryType) {
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                             R"("i":{"dtype":"I64","shape":[],"data_offsets":[16,24]},)"
                             R"("f":{"dtype":"F32","shape":[1,2],"data_offsets":[24,32]},)"
                             R"("j":{"dtype":"I32","shape":[1],"data_offsets":[32,36]},)"
                             R"("h":{"dtype":"F16","shape":[4],"data_offsets":[36,44]},)"
                             R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[44,46]},)"
                             R"("t":{"dtype":"BOOL","shape":[2],"data_offsets":[46,48]},)"
                             R"("e":{"dtype":"F32","shape":[0,3],"data_offsets":[48,48]}}   )";
  const std::string data = Bytes<double>({0.1, -2}) + Bytes<int64_t>({int64_t{1} << 40}) +
                           Bytes<float>({1.5F, -2.5F}) + Bytes<int32_t>({-7}) +
                           Bytes<uint16_t>({0x3C00, 0xC000, 0x0001, 0x7BFF}) +
                           Bytes<uint16_t>({0xBF80}) + Bytes<uint8_t>({1, 0});
  ASSERT_OK_AND_ASSIGN(const NamedTensors read, ReadSafetensors(File(header, data)));
  ASSERT_EQ(read.size(), 8U);
  EXPECT_EQ(read[0].first, "d");
  EXPECT_THAT(read[0].second.values<float>(), ElementsAre(0.1F, -2.0F));
  EXPECT_THAT(read[1].second.values<int64_t>(), ElementsAre(int64_t{1} << 40));
  EXPECT_EQ(read[2].second.shape(), (Shape{1, 2}));
  EXPECT_THAT(read[2].second.values<float>(), ElementsAre(1.5F, -2.5F));
  EXPECT_THAT(read[3].second.values<int32_t>(), ElementsAre(-7));
  EXPECT_THAT(read[4].second.values<float>(), ElementsAre(1.0F, -2.0F, 0x1p-24F, 65504.0F));
  EXPECT_THAT(read[5].second.values<float>(), ElementsAre(-1.0F));
  EXPECT_EQ(read[6].second.dtype(), DType::kBool);
  EXPECT_EQ(read[7].second.shape(), (Shape{0, 3}));
}

TEST(ReadSafetensors, NumbersThatAreNotFiniteAreForInputsOnly) {
  const std::string header = R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})";
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string file = File(header, Bytes<float>({1, std::nanf(""), -kInfinity}));
  EXPECT_THAT(ReadSafetensors(file),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("MODEL_NONFINITE: tensor 'x'"), HasSubstr("element 1"))));
  ASSERT_OK_AND_ASSIGN(const NamedTensors read, ReadSafetensors(file, Numbers::kAny));
  EXPECT_THAT(read[0].second.values<float>(), ElementsAre(1.0F, testing::IsNan(), -kInfinity));
}

TEST(WriteSafetensors, ReadsBackTheSame) {
  NamedTensors tensors;
  tensors.emplace_back("z", Tensor::Of<float>(Shape{2}, {1, 2}));
  tensors.emplace_back("\"quoted\" \u00e9", Tensor::Of<float>(Shape{1}, {3}));
  tensors.emplace_back("n", Tensor::Of<int64_t>(Shape{1}, {9}));
  ASSERT_OK_AND_ASSIGN(const std::string file, WriteSafetensors(tensors));
  EXPECT_EQ(file[0] % 8, 0) << "the data starts at a multiple of 8";
  ASSERT_OK_AND_ASSIGN(const NamedTensors read, ReadSafetensors(file));
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[0].first, "n") << "the largest elements first";
  EXPECT_EQ(read[1].first, "\"quoted\" \u00e9");
  EXPECT_THAT(read[1].second.values<float>(), ElementsAre(3.0F));
  EXPECT_THAT(read[2].second.values<float>(), ElementsAre(1.0F, 2.0F));
  EXPECT_EQ(*WriteSafetensors(read), file);
}

TEST(WriteSafetensors, RefusesWhatItCouldNotReadBack) {
  NamedTensors tensors;
  tensors.emplace_back("a\xFF", Tensor::Of<float>(Shape{1}, {1}));
  EXPECT_THAT(std::string(WriteSafetensors(tensors).status().message()), HasSubstr("ST_NAME"));
  tensors[0].first = "a";
  tensors.emplace_back("a", Tensor::Of<float>(Shape{1}, {1}));
  EXPECT_THAT(std::string(WriteSafetensors(tensors).status().message()), HasSubstr("ST_DUP_NAME"));
}

}  // namespace
}  // namespace sigserve
