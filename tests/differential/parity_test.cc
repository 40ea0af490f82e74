// The same models and rows in sigserve and in the frameworks that made them (tests/golden):
// our error against float64 may be 2e-6, or twice the framework's own where that is more.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/formats/onnx/onnx_reader.h"
#include "model/runtime/session.h"
#include "tests/support/npy.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::ReadNpy;
namespace fs = std::filesystem;

constexpr double kTolerance = 2e-6;

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

double At(const Tensor& tensor, size_t i) {
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

/// Error of `got` against `want`; 0 where both are NaN or the same infinity.
double ErrorOf(double got, double want) {
  if (std::isnan(got) && std::isnan(want)) return 0;
  if (got == want) return 0;
  const double error = std::abs(got - want);
  return std::isnan(error) ? INFINITY : error;
}

struct Expected {
  Tensor framework;
  Tensor exact;  // float64 where the corpus has it, else the framework's
};

/// <folder>/<name>.npy with its float64 twin.
Expected ReadExpected(const fs::path& folder, const std::string& name) {
  Expected expected;
  auto framework = ReadNpy(folder / (name + ".npy"));
  EXPECT_OK(framework);
  if (!framework.ok()) return expected;
  const fs::path exact = folder / (name + "_f64.npy");
  expected.exact = fs::exists(exact) ? *ReadNpy(exact) : framework->Clone();
  expected.framework = *std::move(framework);
  return expected;
}

void ExpectParity(const Tensor& got, const Expected& expected) {
  ASSERT_EQ(got.shape(), expected.framework.shape());
  double worst = 0;
  for (size_t i = 0; i < static_cast<size_t>(got.elements()); ++i) {
    const double exact = At(expected.exact, i);
    const double ours = ErrorOf(At(got, i), exact);
    const double theirs = ErrorOf(At(expected.framework, i), exact);
    worst = std::max(worst, ours);
    ASSERT_LE(ours, std::max(kTolerance, 2 * theirs))
        << "element " << i << ": " << At(got, i) << ", float64 says " << exact;
  }
  ::testing::Test::RecordProperty("max_abs_error", absl::StrCat(worst));
}

std::vector<Tensor> ReadInputs(const fs::path& folder) {
  std::vector<Tensor> inputs;
  if (fs::exists(folder / "x.npy")) {
    inputs.push_back(*ReadNpy(folder / "x.npy"));
    return inputs;
  }
  for (int i = 0; fs::exists(folder / absl::StrCat("x", i, ".npy")); ++i) {
    inputs.push_back(*ReadNpy(folder / absl::StrCat("x", i, ".npy")));
  }
  return inputs;
}

/// Runs one ONNX file on the folder's inputs and compares every output that has a .npy.
void CheckModel(const fs::path& file) {
  const fs::path folder = file.parent_path();
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(ReadWhole(file)));
  ASSERT_OK_AND_ASSIGN(auto executable, Executable::Compile(graph));
  const std::vector<Tensor> inputs = ReadInputs(folder);
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  Session session(executable);
  ASSERT_OK(session.Run(views));
  int compared = 0;
  for (size_t i = 0; i < executable->signature().outputs.size(); ++i) {
    const std::string& name = executable->signature().outputs[i].name;
    if (!fs::exists(folder / (name + ".npy"))) continue;
    SCOPED_TRACE(absl::StrCat("output ", name));
    ExpectParity(Tensor::CopyOf(session.output(static_cast<int>(i))), ReadExpected(folder, name));
    ++compared;
  }
  EXPECT_GT(compared, 0) << "no output of " << file << " has an expected answer";
}

std::vector<std::string> OnnxFilesUnder(const fs::path& root) {
  std::vector<std::string> files;
  std::error_code missing;
  for (const auto& entry : fs::recursive_directory_iterator(root, missing)) {
    if (entry.path().extension() == ".onnx") {
      files.push_back(fs::relative(entry.path(), root).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string TestName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

const fs::path kGolden = fs::path(SIGSERVE_SOURCE_DIR) / "tests/golden/parity";
const fs::path kEmbeddingBags = fs::path(SIGSERVE_SOURCE_DIR) / "tests/golden/embedding_bag";
const fs::path kSvms = fs::path(SIGSERVE_SOURCE_DIR) / "tests/golden/svm";
const fs::path kCorpus = fs::path(SIGSERVE_SOURCE_DIR) / "../shared/data/parity";

class GoldenParity : public testing::TestWithParam<std::string> {};
TEST_P(GoldenParity, AgreesWithTheFramework) { CheckModel(kGolden / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Models, GoldenParity, testing::ValuesIn(OnnxFilesUnder(kGolden)),
                         TestName);

TEST(GoldenParity, IsThere) { EXPECT_GE(OnnxFilesUnder(kGolden).size(), 20U); }

class EmbeddingBagParity : public testing::TestWithParam<std::string> {};
TEST_P(EmbeddingBagParity, AgreesWithTheFramework) { CheckModel(kEmbeddingBags / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Models, EmbeddingBagParity,
                         testing::ValuesIn(OnnxFilesUnder(kEmbeddingBags)), TestName);

class SvmParity : public testing::TestWithParam<std::string> {};
TEST_P(SvmParity, AgreesWithTheFramework) { CheckModel(kSvms / GetParam()); }
INSTANTIATE_TEST_SUITE_P(Models, SvmParity, testing::ValuesIn(OnnxFilesUnder(kSvms)), TestName);

// Columns have the classes' names where each is a class's: scores of pairs have none.
TEST(SvmParity, ColumnsAreNamedWhereTheyAreClasses) {
  const auto scores_of = [](const char* name) {
    const auto graph = ReadOnnx(ReadWhole(kSvms / name / "model.onnx"));
    EXPECT_OK(graph);
    const auto executable = Executable::Compile(*graph);
    EXPECT_OK(executable);
    return (*executable)->signature().outputs.back();
  };
  EXPECT_THAT(scores_of("poly_three_probability").labels, testing::ElementsAre("0", "1", "2"));
  EXPECT_EQ(scores_of("poly_three_probability").link, Link::kOther);
  EXPECT_THAT(scores_of("sigmoid_three_names").labels, testing::IsEmpty());
  EXPECT_EQ(scores_of("sigmoid_three_names").link, Link::kNone);
}

// The whole corpus, if it lies next to the source tree: operators that we lack are skipped by name.
class CorpusParity : public testing::TestWithParam<std::string> {};
TEST_P(CorpusParity, AgreesWithTheFramework) {
  const auto graph = ReadOnnx(ReadWhole(kCorpus / GetParam()));
  if (absl::StartsWith(graph.status().message(), "ONNX_OP: ")) GTEST_SKIP() << graph.status();
  CheckModel(kCorpus / GetParam());
}
INSTANTIATE_TEST_SUITE_P(Models, CorpusParity, testing::ValuesIn(OnnxFilesUnder(kCorpus)),
                         TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CorpusParity);

}  // namespace
}  // namespace sigserve
