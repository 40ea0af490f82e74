// The parity corpus in bfloat16: every model that loads stays within the default bound on its own
// rows, and something does change.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "model/formats/onnx/onnx_reader.h"
#include "model/runtime/checked_compile.h"
#include "tests/support/npy.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

namespace fs = std::filesystem;

constexpr double kBound = 0.02;

std::vector<Tensor> ReadRows(const fs::path& folder) {
  std::vector<Tensor> inputs;
  for (const char* name : {"x.npy", "x0.npy", "x1.npy", "x2.npy"}) {
    if (fs::exists(folder / name)) inputs.push_back(*testing_support::ReadNpy(folder / name));
  }
  return inputs;
}

struct Counts {
  int models = 0;
  int changed = 0;  // by bfloat16: those with layers that are wide enough
};

Counts CheckAll(const fs::path& root) {
  Counts counts;
  std::error_code missing;
  for (const auto& entry : fs::recursive_directory_iterator(root, missing)) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const absl::StatusOr<Graph> graph = ReadOnnx(bytes);
    if (!graph.ok()) continue;
    const std::vector<Tensor> rows = ReadRows(entry.path().parent_path());
    const auto checked = CompileChecked(*graph, {Precision::kBf16, true}, rows, kBound);
    EXPECT_OK(checked);
    ++counts.models;
    counts.changed += checked.ok() && checked->change > 1e-5 ? 1 : 0;
  }
  return counts;
}

TEST(Bf16Parity, GoldenModelsStayWithinTheBound) {
  const Counts counts = CheckAll(fs::path(SIGSERVE_SOURCE_DIR) / "tests/golden/parity");
  EXPECT_GE(counts.models, 20);
  EXPECT_GE(counts.changed, 3);
}

TEST(Bf16Parity, TheWholeCorpusStaysWithinTheBound) {
  const fs::path corpus = fs::path(SIGSERVE_SOURCE_DIR) / "../shared/data/parity";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no " << corpus;
  const Counts counts = CheckAll(corpus);
  EXPECT_GE(counts.models, 20);
  EXPECT_GE(counts.changed, 5);
}

}  // namespace
}  // namespace sigserve
