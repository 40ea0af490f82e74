// ONNX's own tests of single operators (Debian's libonnx-testdata), for every operator that we
// list. Others are counted and skipped. ONNX's tolerances: relative 1e-3; ours is 1e-5, absolute
// 1e-7.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/onnx/onnx_tensor.h"
#include "model/runtime/session.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

namespace fs = std::filesystem;

constexpr double kRelative = 1e-5;
constexpr double kAbsolute = 1e-7;

const fs::path kNodeTests = "/usr/share/libonnx-testdata/data/node";

/// What we do not support although we list the operator, and why.
const std::map<std::string, std::string> kExceptions = {};

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<Tensor> ReadTensors(const fs::path& set, const std::string& kind) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = set / absl::StrCat(kind, "_", i, ".pb");
    if (!fs::exists(path)) return tensors;
    onnx::TensorProto proto;
    EXPECT_TRUE(proto.ParseFromString(ReadWhole(path))) << path;
    auto tensor = TensorFromOnnx(proto);
    EXPECT_OK(tensor) << path;
    if (!tensor.ok()) return tensors;
    tensors.push_back(*std::move(tensor));
  }
}

double At(const TensorView& tensor, size_t i) {
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return tensor.values<float>()[i];
    case DType::kFloat64:
      return tensor.values<double>()[i];
    case DType::kInt64:
      return static_cast<double>(tensor.values<int64_t>()[i]);
    case DType::kInt32:
      return tensor.values<int32_t>()[i];
    case DType::kBool:
      return static_cast<const bool*>(tensor.data())[i] ? 1 : 0;
  }
  return NAN;
}

void ExpectClose(const TensorView& got, const TensorView& want) {
  ASSERT_EQ(got.dtype(), want.dtype());
  ASSERT_EQ(got.shape(), want.shape());
  for (size_t i = 0; i < static_cast<size_t>(want.elements()); ++i) {
    const double a = At(got, i);
    const double b = At(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), kAbsolute + kRelative * std::abs(b)) << "element " << i;
  }
}

std::vector<std::string> NodeTests() {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(kNodeTests, missing)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class OnnxNode : public testing::TestWithParam<std::string> {};

TEST_P(OnnxNode, AgreesWithOnnx) {
  const auto exception = kExceptions.find(GetParam());
  if (exception != kExceptions.end()) GTEST_SKIP() << exception->second;
  const fs::path folder = kNodeTests / GetParam();
  const auto graph = ReadOnnx(ReadWhole(folder / "model.onnx"));
  if (graph.status().code() == absl::StatusCode::kUnimplemented) GTEST_SKIP() << graph.status();
  ASSERT_OK(graph);
  const auto executable = Executable::Compile(*graph);
  if (executable.status().code() == absl::StatusCode::kUnimplemented) {
    GTEST_SKIP() << executable.status();
  }
  ASSERT_OK(executable);
  const fs::path set = folder / "test_data_set_0";
  const std::vector<Tensor> inputs = ReadTensors(set, "input");
  const std::vector<Tensor> outputs = ReadTensors(set, "output");
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  Session session(*executable);
  ASSERT_OK(session.Run(views));
  std::vector<TensorView> expected;
  ASSERT_EQ(outputs.size(), (*executable)->signature().outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("output ", i));
    expected.push_back(outputs[i].view());
    ExpectClose(session.output(static_cast<int>(i)), expected.back());
  }
}

INSTANTIATE_TEST_SUITE_P(Debian, OnnxNode, testing::ValuesIn(NodeTests()),
                         [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxNode);

}  // namespace
}  // namespace sigserve
