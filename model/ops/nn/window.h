// For the convolutions and pools of this folder: the attributes kernel_shape, strides, dilations,
// pads and auto_pad, and what they make of an input's size.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/ops/core/attributes.h"
#include "model/tensor/shape.h"

namespace sigserve {

enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };

/// One spatial dimension; what was not given is 1, and 0 for pads.
struct WindowAxis {
  int64_t input = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;
  int64_t output = 1;

  /// From the first tap to the last, both included.
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
};

inline constexpr int kMaxSpatialRank = 3;
/// The last `spatial rank` entries are in use; those before are as if of size 1.
using WindowAxes = std::array<WindowAxis, kMaxSpatialRank>;

struct Window {
  AutoPad auto_pad = AutoPad::kNotSet;
  /// Empty where not given. Every entry is checked: sizes, strides and dilations are 1 to 2^31 - 1,
  /// pads 0 to 2^31 - 1.
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;

  /// INVALID_ARGUMENT names the attribute and the entry.
  static absl::StatusOr<Window> Read(const Attributes& attributes);

  /// Everything but the output, for an input [batch, channels, size...]. `kernel_sizes`: one per
  /// spatial dimension. auto_pad's pads are left to the caller. INVALID_ARGUMENT: a list has not
  /// one entry per dimension (pads: two), or the rank is wrong; UNIMPLEMENTED: rank over
  /// `max_rank`.
  absl::StatusOr<WindowAxes> Axes(const Shape& input, absl::Span<const int64_t> kernel_sizes,
                                  int max_rank) const;

  /// Sets pads and output of each axis for a window that slides over the input. INVALID_ARGUMENT
  /// when it does not fit.
  absl::Status Slide(const Shape& input, bool ceil_mode, WindowAxes& axes) const;
};

/// INVALID_ARGUMENT unless all entries are in [low, 2^31 - 1].
absl::Status CheckEntries(absl::string_view name, absl::Span<const int64_t> values, int64_t low);

/// `input`'s first dimension, then `channels`, then the axes' outputs.
Shape WindowOutput(const Shape& input, int64_t channels, const WindowAxes& axes);

}  // namespace sigserve
