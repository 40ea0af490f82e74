// For the sources of this folder: PyTorch's modules as nodes. Each function checks its arguments
// (ARCH_ARGUMENT, without the layer's name), takes its weights and adds its nodes.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/architecture/architecture.pb.h"
#include "model/formats/architecture/net_builder.h"

namespace sigserve {

/// Adds one layer, with those within it. `number`: its place in its Sequential; `depth`: how many
/// of those it lies in.
absl::Status AddLayer(const model::Layer& layer, int number, int depth, NetBuilder& net);

// The groups of layers; false when `layer.type()` is not one of the group's.
absl::StatusOr<bool> AddDense(const model::Layer& layer, NetBuilder& net);
absl::StatusOr<bool> AddConvolution(const model::Layer& layer, NetBuilder& net);
absl::StatusOr<bool> AddNormalization(const model::Layer& layer, NetBuilder& net);
absl::StatusOr<bool> AddActivation(const model::Layer& layer, NetBuilder& net);
absl::StatusOr<bool> AddRecurrent(const model::Layer& layer, NetBuilder& net);

/// INVALID_ARGUMENT ARCH_ARGUMENT.
absl::Status BadArgument(absl::string_view text);
/// Checks that only `allowed` arguments, type and key are set.
absl::Status CheckArguments(const model::Layer& layer,
                            std::initializer_list<absl::string_view> allowed);
/// A size that must be there, from 1 to 2^31-1.
absl::StatusOr<int64_t> Size(bool present, int64_t value, absl::string_view argument);
/// `values` for `dims` dimensions: given once for all, or for each; `otherwise` when left out.
template <typename Repeated>
absl::StatusOr<std::vector<int64_t>> PerDimension(const Repeated& values, int dims,
                                                  std::vector<int64_t> otherwise, int64_t lowest,
                                                  absl::string_view argument) {
  std::vector<int64_t> result(values.begin(), values.end());
  if (result.empty()) result = std::move(otherwise);
  if (result.size() == 1) result.resize(static_cast<size_t>(dims), result[0]);
  bool good = result.size() == static_cast<size_t>(dims);
  for (const int64_t value : result) good = good && value >= lowest && value < (int64_t{1} << 31);
  if (!good) {
    return BadArgument(std::string(argument) + " must be given once, or for each of " +
                       std::to_string(dims) + " dimensions, from " + std::to_string(lowest));
  }
  return result;
}
/// The rank that a layer needs.
absl::Status CheckRank(const NetBuilder& net, int lowest, int highest);

}  // namespace sigserve
