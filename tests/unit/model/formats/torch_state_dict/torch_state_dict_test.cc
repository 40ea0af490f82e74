#include "model/formats/torch_state_dict/torch_state_dict.h"

#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/torch_builder.h"

namespace sigserve {
namespace {

using namespace testing_support;  // NOLINT(google-build-using-namespace): the builders' verbs
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kSixFloats =
    Raw(0.0F) + Raw(1.0F) + Raw(2.0F) + Raw(3.0F) + Raw(4.0F) + Raw(5.0F);

std::string Names(const NamedTensors& tensors) {
  std::string names;
  for (const auto& [name, tensor] : tensors) names += name + tensor.shape().ToString() + " ";
  return names;
}

TEST(ReadTorchStateDict, ViewsOfOneStorage) {
  const std::string storage = Storage("0", 6);
  const std::string file = TorchFile(
      Whole(Dict({Text("whole"), TensorOf(storage, 0, {2, 3}, {3, 1}), Text("transposed"),
                  TensorOf(storage, 0, {3, 2}, {1, 3}), Text("column"),
                  TensorOf(storage, 1, {2}, {3}), Text("scalar"), TensorOf(storage, 5, {}, {}),
                  Text("expanded"), TensorOf(storage, 4, {2, 2}, {0, 1}), Text("empty"),
                  TensorOf(storage, 6, {0, 4}, {4, 1})})),
      kSixFloats);
  ASSERT_OK_AND_ASSIGN(const NamedTensors read, ReadTorchStateDict(file));
  EXPECT_EQ(Names(read), "whole[2,3] transposed[3,2] column[2] scalar[] expanded[2,2] empty[0,4] ");
  EXPECT_THAT(read[0].second.values<float>(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(read[1].second.values<float>(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(read[2].second.values<float>(), ElementsAre(1, 4));
  EXPECT_THAT(read[3].second.values<float>(), ElementsAre(5));
  EXPECT_THAT(read[4].second.values<float>(), ElementsAre(4, 5, 4, 5));
}

TEST(ReadTorchStateDict, Types) {
  const struct {
    const char* type;
    std::string record;
    DType dtype;
  } kCases[] = {
      {"DoubleStorage", Raw(1.0), DType::kFloat32},
      {"HalfStorage", Raw<uint16_t>(0x3C00), DType::kFloat32},
      {"BFloat16Storage", Raw<uint16_t>(0x3F80), DType::kFloat32},
      {"LongStorage", Raw<int64_t>(1), DType::kInt64},
      {"IntStorage", Raw<int32_t>(1), DType::kInt32},
      {"BoolStorage", Raw<uint8_t>(1), DType::kBool},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.type);
    ASSERT_OK_AND_ASSIGN(
        const NamedTensors read,
        ReadTorchStateDict(TorchFile(
            Whole(Dict({Text("w"), TensorOf(Storage("0", 1, c.type, "cuda:0"), 0, {1}, {1})})),
            c.record)));
    ASSERT_EQ(read[0].second.dtype(), c.dtype);
    if (c.dtype == DType::kFloat32) {
      EXPECT_EQ(read[0].second.values<float>()[0], 1.0F);
    } else {
      EXPECT_EQ(static_cast<const char*>(read[0].second.data())[0], 1);
    }
  }
}

TEST(ReadTorchStateDict, FindsTheStateDictInACheckpoint) {
  const std::string weights = Dict({Text("module.w"), TensorOf(Storage("0", 6), 0, {6}, {1})});
  for (const char* key : {"state_dict", "model", "model_state_dict"}) {
    const std::string file =
        TorchFile(Whole(Dict({Text("epoch"), Int(3), Text("optimizer"), Dict({Text("lr"), Int(1)}),
                              Text(key), weights})),
                  kSixFloats);
    ASSERT_OK_AND_ASSIGN(const NamedTensors read, ReadTorchStateDict(file));
    EXPECT_EQ(Names(read), "module.w[6] ") << key;
  }
}

/// A stream as PyTorch before 1.6 wrote it, of one storage.
std::string LegacyFile(const std::string& body, const std::string& keys, int64_t elements,
                       const std::string& record) {
  return std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15) +
         Whole("M\xe9\x03") + Whole(Dict({Text("little_endian"), "\x88"})) + Whole(body) +
         Whole(keys) + Raw(elements) + record;
}

std::string LegacyStorage(int64_t elements, const std::string& view = "N") {
  return Tuple({Text("storage"), Global("torch", "FloatStorage"), Text("9"), Text("cpu"),
                Int(elements), view}) +
         "Q";
}

TEST(ReadTorchStateDict, LegacyStreams) {
  const std::string body = Dict({Text("w"), TensorOf(LegacyStorage(6), 0, {2, 3}, {3, 1})});
  const std::string keys = "]" + Text("9") + "a";
  ASSERT_OK_AND_ASSIGN(const NamedTensors read,
                       ReadTorchStateDict(LegacyFile(body, keys, 6, kSixFloats)));
  EXPECT_EQ(Names(read), "w[2,3] ");
  EXPECT_THAT(read[0].second.values<float>(), ElementsAre(0, 1, 2, 3, 4, 5));

  const std::string view = Tuple({Text("10"), Int(2), Int(3)});
  ASSERT_OK_AND_ASSIGN(
      const NamedTensors part,
      ReadTorchStateDict(LegacyFile(
          Dict({Text("w"), TensorOf(LegacyStorage(6, view), 1, {2}, {1})}), keys, 6, kSixFloats)));
  EXPECT_THAT(part[0].second.values<float>(), ElementsAre(3, 4));

  const struct {
    std::string file;
    const char* token;
  } kBad[] = {
      {LegacyFile(body, keys, 6, kSixFloats + "x"), "PT_TRAILING"},
      {LegacyFile(body, keys, 6, kSixFloats.substr(1)), "PT_TRUNCATED"},
      {LegacyFile(body, keys, 5, kSixFloats), "PT_STORAGE_SIZE"},
      {LegacyFile(body, "]", 6, kSixFloats), "PT_TRAILING"},
      {LegacyFile(body, "]" + Text("8") + "a", 6, kSixFloats), "PT_STORAGE_SIZE"},
      {LegacyFile(Dict({Text("w"), TensorOf(LegacyStorage(6, Tuple({Text("1"), Int(5), Int(2)})), 0,
                                            {1}, {1})}),
                  keys, 6, kSixFloats),
       "PT_STORAGE_SIZE"},
      {LegacyFile(Global("os", "system") + Tuple({Text("x")}) + "R", keys, 6, kSixFloats),
       "PT_GLOBAL"},
  };
  for (const auto& c : kBad) {
    EXPECT_THAT(std::string(ReadTorchStateDict(c.file).status().message()), HasSubstr(c.token));
  }
}

TEST(ReadTorchStateDict, Python2WroteOrderedDictsAsPairs) {
  const std::string tensor = Global("torch._utils", "_rebuild_tensor") +
                             Tuple({LegacyStorage(6), Int(0), Ints({6}), Ints({1})}) + "R";
  const std::string pair = "](U\x01w" + tensor + "e";
  const std::string body = Global("collections", "OrderedDict") + Tuple({"](" + pair + "e"}) + "R";
  ASSERT_OK_AND_ASSIGN(const NamedTensors read, ReadTorchStateDict(LegacyFile(body,
                                                                              "]U\x01"
                                                                              "9a",
                                                                              6, kSixFloats)));
  EXPECT_EQ(Names(read), "w[6] ");
}

}  // namespace
}  // namespace sigserve
