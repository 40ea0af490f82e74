// ONNX's own tests of single operators: Debian's libonnx-testdata, and, where they have been
// unpacked to onnx_core/ in the build folder, those of newer releases. A test whose operators are
// all in our table must pass, unless onnx_node_exceptions.h names it; the others are skipped.
// ONNX's tolerance is relative 1e-3; ours is 1e-5, absolute 1e-7.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/onnx/onnx_tensor.h"
#include "model/ops/op_table.h"
#include "model/runtime/session.h"
#include "tests/differential/onnx_node_exceptions.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

namespace fs = std::filesystem;

constexpr double kRelative = 1e-5;
constexpr double kAbsolute = 1e-7;
constexpr double kRounding = 1e-4;  // of kRoundedTests: half for the input, half for the answer

const fs::path kNodeTests = "/usr/share/libonnx-testdata/data/node";

const fs::path kCoreTests = fs::path(SIGSERVE_BINARY_DIR) / "onnx_core/onnx_node_tests/v1.22/node";

// From opset 22 on, our operators gained element types and nothing else: read as 21. Tests of
// operators that have not changed since opset 1 or 6 say so: read as 7.
constexpr int64_t kOldestOpset = 7;
constexpr int64_t kNewestOpset = 21;
constexpr int64_t kNewestIr = 10;

/// Inputs whose values decide the result's shape. Here they are constants, as in the models that
/// we serve: shapes follow from constants and from shapes.
const std::map<std::string, std::vector<int>> kShapeInputs = {
    {"ConstantOfShape", {0}},
    {"CumSum", {1}},
    {"Dropout", {1, 2}},
    {"Expand", {1}},
    {"OneHot", {1}},
    {"Pad", {1, 2, 3}},
    {"Range", {0, 1, 2}},
    {"ReduceL1", {1}},
    {"ReduceL2", {1}},
    {"ReduceLogSum", {1}},
    {"ReduceLogSumExp", {1}},
    {"ReduceMax", {1}},
    {"ReduceMean", {1}},
    {"ReduceMin", {1}},
    {"ReduceProd", {1}},
    {"ReduceSum", {1}},
    {"ReduceSumSquare", {1}},
    {"Reshape", {1}},
    {"Slice", {1, 2, 3, 4}},
    {"Split", {1}},
    {"Squeeze", {1}},
    {"Tile", {1}},
    {"TopK", {1}},
    {"Unsqueeze", {1}},
};

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

void ExpectClose(const TensorView& got, const TensorView& want, double absolute) {
  ASSERT_EQ(got.dtype(), want.dtype());
  ASSERT_EQ(got.shape(), want.shape());
  for (size_t i = 0; i < static_cast<size_t>(want.elements()); ++i) {
    const double a = At(got, i);
    const double b = At(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), absolute + kRelative * std::abs(b)) << "element " << i;
  }
}

/// The operator that we lack; empty when there is none.
std::string MissingOperator(const onnx::ModelProto& model) {
  int opset = 0;
  for (const auto& import : model.opset_import()) {
    if (import.domain().empty()) opset = static_cast<int>(import.version());
  }
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.op_type() == "Constant" || node.op_type() == "ZipMap") continue;
    const int version = node.domain().empty() ? opset : 1;
    const OpEntry* entry = FindOp(node.domain(), node.op_type(), version);
    if (entry == nullptr || version < entry->first_opset) return node.op_type();
  }
  return "";
}

/// Moves the graph's inputs that decide shapes to its initializers: their positions.
absl::flat_hash_set<int> BakeShapeInputs(const fs::path& set, onnx::GraphProto& graph) {
  absl::flat_hash_set<std::string> names;
  for (const onnx::NodeProto& node : graph.node()) {
    const auto which = kShapeInputs.find(node.op_type());
    if (which == kShapeInputs.end()) continue;
    for (const int i : which->second) {
      if (i < node.input_size()) names.insert(node.input(i));
    }
  }
  absl::flat_hash_set<int> baked;
  google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> kept;
  for (int i = 0; i < graph.input_size(); ++i) {
    if (!names.contains(graph.input(i).name())) {
      *kept.Add() = graph.input(i);
      continue;
    }
    baked.insert(i);
    onnx::TensorProto& tensor = *graph.add_initializer();
    EXPECT_TRUE(tensor.ParseFromString(ReadWhole(set / absl::StrCat("input_", i, ".pb"))));
    tensor.set_name(graph.input(i).name());
  }
  graph.mutable_input()->Swap(&kept);
  return baked;
}

std::vector<std::string> NodeTests(const fs::path& root) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(root, missing)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void CheckNode(const fs::path& folder) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(ReadWhole(folder / "model.onnx")));
  model.set_ir_version(std::min(model.ir_version(), kNewestIr));
  for (onnx::OperatorSetIdProto& import : *model.mutable_opset_import()) {
    if (import.domain().empty()) {
      import.set_version(std::clamp<int64_t>(import.version(), kOldestOpset, kNewestOpset));
    }
  }
  const std::string missing = MissingOperator(model);
  if (!missing.empty()) GTEST_SKIP() << "operator " << missing << " is not in our table";
  for (const NodeException& exception : kNodeExceptions) {
    const auto& tests = exception.tests;
    if (std::find(tests.begin(), tests.end(), folder.filename()) != tests.end()) {
      GTEST_SKIP() << exception.reason;
    }
  }
  const fs::path set = folder / "test_data_set_0";
  const absl::flat_hash_set<int> baked = BakeShapeInputs(set, *model.mutable_graph());
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(model.SerializeAsString()));
  ASSERT_OK_AND_ASSIGN(const auto executable, Executable::Compile(graph));
  const std::vector<Tensor> inputs = ReadTensors(set, "input");
  const std::vector<Tensor> outputs = ReadTensors(set, "output");
  std::vector<TensorView> views;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!baked.contains(static_cast<int>(i))) views.push_back(inputs[i].view());
  }
  Session session(executable);
  ASSERT_OK(session.Run(views));
  ASSERT_EQ(outputs.size(), executable->signature().outputs.size());
  const bool rounded = std::find(kRoundedTests.begin(), kRoundedTests.end(), folder.filename()) !=
                       kRoundedTests.end();
  const double absolute = rounded ? kRounding : kAbsolute;
  for (size_t i = 0; i < outputs.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("output ", i));
    ExpectClose(session.output(static_cast<int>(i)), outputs[i].view(), absolute);
  }
}

class OnnxNode : public testing::TestWithParam<std::string> {};
TEST_P(OnnxNode, AgreesWithOnnx) { CheckNode(kNodeTests / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Debian, OnnxNode, testing::ValuesIn(NodeTests(kNodeTests)),
                         [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxNode);

class OnnxCore : public testing::TestWithParam<std::string> {};
TEST_P(OnnxCore, AgreesWithOnnx) { CheckNode(kCoreTests / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Newer, OnnxCore, testing::ValuesIn(NodeTests(kCoreTests)),
                         [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxCore);

}  // namespace
}  // namespace sigserve
