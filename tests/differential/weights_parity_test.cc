// The same weights from every format that has them (tests/golden/weights; the whole corpus where it
// lies next to the source tree): a ZIP and a stream of torch.save, safetensors, and the ONNX
// model's initializers of the same name. Bit for bit.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/safetensors/safetensors.h"
#include "model/formats/torch_state_dict/torch_state_dict.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using testing::HasSubstr;

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::map<std::string, const Tensor*> ByName(const NamedTensors& tensors) {
  std::map<std::string, const Tensor*> map;
  for (const auto& [name, tensor] : tensors) map.emplace(name, &tensor);
  return map;
}

void ExpectSame(const Tensor& got, const Tensor& want) {
  ASSERT_EQ(got.dtype(), want.dtype());
  ASSERT_EQ(got.shape(), want.shape());
  EXPECT_EQ(std::memcmp(got.data(), want.data(), want.bytes()), 0);
}

void ExpectSame(const NamedTensors& got, const NamedTensors& want) {
  const auto got_by_name = ByName(got);
  const auto want_by_name = ByName(want);
  ASSERT_EQ(got_by_name.size(), want_by_name.size());
  for (const auto& [name, tensor] : want_by_name) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(got_by_name.contains(name));
    ExpectSame(*got_by_name.at(name), *tensor);
  }
}

/// Weights in the three formats, and the model's initializers that have a weight's name and shape.
void CheckFolder(const fs::path& folder) {
  ASSERT_OK_AND_ASSIGN(const NamedTensors tensors,
                       ReadSafetensors(ReadWhole(folder / "weights.safetensors")));
  EXPECT_FALSE(tensors.empty());
  for (const char* name : {"weights.pth", "weights_legacy.pth"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const NamedTensors torch, ReadTorchStateDict(ReadWhole(folder / name)));
    ExpectSame(torch, tensors);
  }
  ASSERT_OK_AND_ASSIGN(const std::string written, WriteSafetensors(tensors));
  ASSERT_OK_AND_ASSIGN(const NamedTensors again, ReadSafetensors(written));
  ExpectSame(again, tensors);

  const auto graph = ReadOnnx(ReadWhole(folder / "model.onnx"));
  if (!graph.ok()) return;  // an operator that we lack: another test's matter
  const auto weights = ByName(tensors);
  int compared = 0;
  for (const Value& value : graph->values()) {
    const auto weight = weights.find(value.name);
    if (value.constant == nullptr || weight == weights.end()) continue;
    if (value.constant->shape() != weight->second->shape()) continue;  // transposed by the exporter
    SCOPED_TRACE(value.name);
    ExpectSame(*weight->second, *value.constant);
    ++compared;
  }
  testing::Test::RecordProperty(folder.filename().string(), compared);
}

std::vector<std::string> FoldersOf(const fs::path& root) {
  std::vector<std::string> folders;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(root, missing)) {
    if (fs::exists(entry.path() / "weights.safetensors")) {
      folders.push_back(entry.path().filename().string());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string TestName(const testing::TestParamInfo<std::string>& info) { return info.param; }

const fs::path kGolden = fs::path(SIGSERVE_SOURCE_DIR) / "tests/golden/weights";
const fs::path kCorpus = fs::path(SIGSERVE_SOURCE_DIR) / "../shared/data/parity";

class GoldenWeights : public testing::TestWithParam<std::string> {};
TEST_P(GoldenWeights, TheSameInEveryFormat) { CheckFolder(kGolden / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Folders, GoldenWeights, testing::ValuesIn(FoldersOf(kGolden)), TestName);

TEST(GoldenWeights, AreThere) { EXPECT_GE(FoldersOf(kGolden).size(), 4U); }

class CorpusWeights : public testing::TestWithParam<std::string> {};
TEST_P(CorpusWeights, TheSameInEveryFormat) { CheckFolder(kCorpus / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Folders, CorpusWeights, testing::ValuesIn(FoldersOf(kCorpus)), TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CorpusWeights);

struct Variant {
  const char* file;
  StatusCode code;
  const char* says;  // names and shapes, or the error's token
};

// Checkpoints as people keep them, and files that must be refused.
TEST(CheckpointVariants, AsPeopleKeepThem) {
  const Variant kVariants[] = {
      {"wrapped_state_dict.pth", StatusCode::kOk, "0.weight[2,3] 0.bias[2] "},
      {"half.pth", StatusCode::kOk, "0.weight[2,3] 0.bias[2] "},
      {"bf16.pth", StatusCode::kOk, "0.weight[2,3] 0.bias[2] "},
      {"f64.pth", StatusCode::kOk, "0.weight[2,3] 0.bias[2] "},
      {"parameters.pth", StatusCode::kOk, "0.weight[2,3] 0.bias[2] "},
      {"shared_storage_views.pth", StatusCode::kOk, "full[4,6] rows["},
      {"with_optimizer.pth", StatusCode::kOk, "0.weight[2,3] 0.bias[2] "},
      {"torchscript.pt", StatusCode::kUnimplemented, "PT_ARCHIVE"},
      {"full_module_pickle.pth", StatusCode::kInvalidArgument, "PT_NOT_STATE_DICT"},
      {"evil_pickle.pth", StatusCode::kPermissionDenied, "PT_GLOBAL: 'posix.system'"},
  };
  for (const Variant& variant : kVariants) {
    SCOPED_TRACE(variant.file);
    const auto read = ReadTorchStateDict(ReadWhole(kGolden / "ckpt_variants" / variant.file));
    EXPECT_EQ(read.status().code(), variant.code) << read.status();
    std::string says(read.status().message());
    if (read.ok()) {
      for (const auto& [name, tensor] : *read) says += name + tensor.shape().ToString() + " ";
    }
    EXPECT_THAT(says, HasSubstr(variant.says));
  }
}

absl::StatusOr<NamedTensors> ReadVariant(const std::string& file) {
  const std::string bytes = ReadWhole(kGolden / "ckpt_variants" / file);
  return fs::path(file).extension() == ".pth" ? ReadTorchStateDict(bytes) : ReadSafetensors(bytes);
}

// The same weights in narrow types: within their rounding of the FLOAT32 ones.
TEST(CheckpointVariants, NarrowTypes) {
  const struct {
    const char* narrow;
    const char* wide;
    float rounding;
  } kPairs[] = {
      {"half.pth", "wrapped_state_dict.pth", 0x1p-11F},
      {"bf16.pth", "wrapped_state_dict.pth", 0x1p-8F},
      {"f64.pth", "wrapped_state_dict.pth", 0},
      {"parameters.pth", "wrapped_state_dict.pth", 0},
      {"f16.safetensors", "with_optimizer.pth", 0x1p-11F},
      {"bf16.safetensors", "with_optimizer.pth", 0x1p-8F},
  };
  for (const auto& pair : kPairs) {
    SCOPED_TRACE(pair.narrow);
    ASSERT_OK_AND_ASSIGN(const NamedTensors narrow, ReadVariant(pair.narrow));
    ASSERT_OK_AND_ASSIGN(const NamedTensors wide, ReadVariant(pair.wide));
    const auto wide_by_name = ByName(wide);
    for (const auto& [name, tensor] : narrow) {
      ASSERT_TRUE(wide_by_name.contains(name)) << name;
      const auto want = wide_by_name.at(name)->values<float>();
      for (size_t i = 0; i < want.size(); ++i) {
        EXPECT_NEAR(tensor.values<float>()[i], want[i], std::abs(want[i]) * pair.rounding) << name;
      }
    }
  }
}

}  // namespace
}  // namespace sigserve
