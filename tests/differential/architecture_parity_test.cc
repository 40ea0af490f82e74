// Nets of the tutorials from the formats their authors had: model.textproto with each of the files
// of weights (tests/golden/weights), against what PyTorch answered. Our error against float64 may
// be 2e-6, or twice PyTorch's own where that is more.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "model/formats/architecture/architecture.h"
#include "model/formats/safetensors/safetensors.h"
#include "model/formats/torch_state_dict/torch_state_dict.h"
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

const fs::path kGolden = fs::path(SIGSERVE_SOURCE_DIR) / "tests/golden/weights";

std::vector<std::string> Architectures() {
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(kGolden)) {
    if (fs::exists(entry.path() / "model.textproto")) {
      folders.push_back(entry.path().filename().string());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void CheckAnswers(const Graph& graph, const fs::path& folder) {
  ASSERT_OK_AND_ASSIGN(auto executable, Executable::Compile(graph));
  ASSERT_OK_AND_ASSIGN(const Tensor x, ReadNpy(folder / "x.npy"));
  ASSERT_OK_AND_ASSIGN(const Tensor torch, ReadNpy(folder / "y.npy"));
  const bool has_exact = fs::exists(folder / "y_f64.npy");
  ASSERT_OK_AND_ASSIGN(const Tensor exact, ReadNpy(folder / (has_exact ? "y_f64.npy" : "y.npy")));
  Session session(executable);
  ASSERT_OK(session.Run({x.view()}));
  const TensorView y = session.output(0);
  ASSERT_EQ(y.shape(), torch.shape());
  for (size_t i = 0; i < static_cast<size_t>(y.elements()); ++i) {
    const double want = has_exact ? exact.values<double>()[i] : torch.values<float>()[i];
    const double theirs = std::abs(torch.values<float>()[i] - want);
    const double ours = std::abs(y.values<float>()[i] - want);
    ASSERT_LE(ours, std::max(kTolerance, 2 * theirs)) << "element " << i;
  }
}

class ArchitectureParity : public testing::TestWithParam<std::string> {};

TEST_P(ArchitectureParity, AgreesWithPyTorch) {
  const fs::path folder = kGolden / GetParam();
  const std::string text = ReadWhole(folder / "model.textproto");
  for (const char* file : {"weights.pth", "weights_legacy.pth", "weights.safetensors"}) {
    SCOPED_TRACE(file);
    const std::string bytes = ReadWhole(folder / file);
    ASSERT_OK_AND_ASSIGN(NamedTensors weights, absl::EndsWith(file, ".pth")
                                                   ? ReadTorchStateDict(bytes)
                                                   : ReadSafetensors(bytes));
    ASSERT_OK_AND_ASSIGN(const Graph graph, BuildFromArchitecture(text, std::move(weights)));
    CheckAnswers(graph, folder);
  }
}
INSTANTIATE_TEST_SUITE_P(Nets, ArchitectureParity, testing::ValuesIn(Architectures()),
                         [](const auto& info) { return info.param; });

TEST(ArchitectureParity, NetsAreThere) { EXPECT_GE(Architectures().size(), 9U); }

}  // namespace
}  // namespace sigserve
