#include "model/formats/torch_state_dict/pickle_tree.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/torch_state_dict/pickle.h"

namespace sigserve {
namespace {

constexpr int kMaxDepth = 64;
constexpr uint64_t kMaxLeaves = 10'000'000;

/// What is known of a value that has been walked: its leaves, and how deep it nests.
struct Measure {
  enum class State : uint8_t { kNew, kOpen, kDone };
  State state = State::kNew;
  uint8_t height = 0;
  uint32_t leaves = 0;
};

/// Recursion goes as deep as kMaxDepth at most.
absl::Status Walk(const Pickle& pickle, PickleId id, int depth, std::vector<Measure>& measures) {
  Measure& measure = measures[id];
  if (measure.state == Measure::State::kOpen) {
    return absl::InvalidArgumentError("PT_CYCLE: a value contains itself");
  }
  if (depth + measure.height > kMaxDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat("PT_DEPTH: values nest more than ", kMaxDepth, " deep"));
  }
  if (measure.state == Measure::State::kDone) return absl::OkStatus();
  measure.state = Measure::State::kOpen;
  uint64_t leaves = 1;
  int height = 0;
  for (const PickleId item : pickle[id].items) {
    SIGSERVE_RETURN_IF_ERROR(Walk(pickle, item, depth + 1, measures));
    leaves += measures[item].leaves;
    height = std::max(height, measures[item].height + 1);
    if (leaves > kMaxLeaves) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "PT_NODE_LIMIT: shared values counted, the pickle has more than ", kMaxLeaves, " parts"));
    }
  }
  measure.leaves = static_cast<uint32_t>(leaves);
  measure.height = static_cast<uint8_t>(height);
  measure.state = Measure::State::kDone;
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTree(const Pickle& pickle) {
  std::vector<Measure> measures(pickle.values.size());
  return Walk(pickle, pickle.root, 0, measures);
}

}  // namespace sigserve
