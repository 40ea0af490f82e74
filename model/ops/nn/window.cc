#include "model/ops/nn/window.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

absl::StatusOr<AutoPad> ReadAutoPad(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string name, attributes.String("auto_pad", "NOTSET"));
  if (name == "NOTSET" || name.empty()) return AutoPad::kNotSet;
  if (name == "SAME_UPPER") return AutoPad::kSameUpper;
  if (name == "SAME_LOWER") return AutoPad::kSameLower;
  if (name == "VALID") return AutoPad::kValid;
  return absl::InvalidArgumentError(
      absl::StrCat("auto_pad is '", name, "', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID"));
}

absl::Status CheckCount(absl::string_view name, absl::Span<const int64_t> values, size_t expected) {
  if (values.empty() || values.size() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " has ", values.size(), " entries, expected ", expected));
}

}  // namespace

absl::Status CheckEntries(absl::string_view name, absl::Span<const int64_t> values, int64_t low) {
  constexpr int64_t kHigh = std::numeric_limits<int32_t>::max();
  for (const int64_t value : values) {
    if (value < low || value > kHigh) {
      return absl::InvalidArgumentError(absl::StrCat(name, " [", absl::StrJoin(values, ","), "]: ",
                                                     value, " is not in [", low, ", ", kHigh, "]"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Window> Window::Read(const Attributes& attributes) {
  Window window;
  SIGSERVE_ASSIGN_OR_RETURN(window.auto_pad, ReadAutoPad(attributes));
  SIGSERVE_ASSIGN_OR_RETURN(window.kernel, attributes.Ints("kernel_shape"));
  SIGSERVE_ASSIGN_OR_RETURN(window.strides, attributes.Ints("strides"));
  SIGSERVE_ASSIGN_OR_RETURN(window.dilations, attributes.Ints("dilations"));
  SIGSERVE_ASSIGN_OR_RETURN(window.pads, attributes.Ints("pads"));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("kernel_shape", window.kernel, 1));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("strides", window.strides, 1));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("dilations", window.dilations, 1));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("pads", window.pads, 0));
  const bool padded =
      std::any_of(window.pads.begin(), window.pads.end(), [](int64_t pad) { return pad != 0; });
  if (padded && window.auto_pad != AutoPad::kNotSet) {
    return absl::InvalidArgumentError("pads and auto_pad are both given");
  }
  return window;
}

absl::StatusOr<WindowAxes> Window::Axes(const Shape& input, absl::Span<const int64_t> kernel_sizes,
                                        int max_rank) const {
  const int rank = input.rank() - 2;
  if (rank < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input is ", input.ToString(), ", expected [batch, channels, size, ...]"));
  }
  if (rank > max_rank) {
    return absl::UnimplementedError(absl::StrCat("input ", input.ToString(), " has ", rank,
                                                 " spatial dimensions, supported are 1 to ",
                                                 max_rank));
  }
  const auto count = static_cast<size_t>(rank);
  SIGSERVE_RETURN_IF_ERROR(CheckCount("kernel_shape", kernel_sizes, count));
  SIGSERVE_RETURN_IF_ERROR(CheckCount("strides", strides, count));
  SIGSERVE_RETURN_IF_ERROR(CheckCount("dilations", dilations, count));
  SIGSERVE_RETURN_IF_ERROR(CheckCount("pads", pads, 2 * count));
  WindowAxes axes;
  for (size_t i = 0; i < count; ++i) {
    WindowAxis& axis = axes[axes.size() - count + i];
    axis.input = input[static_cast<int>(i) + 2];
    axis.kernel = kernel_sizes[i];
    axis.stride = strides.empty() ? 1 : strides[i];
    axis.dilation = dilations.empty() ? 1 : dilations[i];
    axis.pad_begin = pads.empty() ? 0 : pads[i];
    axis.pad_end = pads.empty() ? 0 : pads[count + i];
  }
  return axes;
}

absl::Status Window::Slide(const Shape& input, bool ceil_mode, WindowAxes& axes) const {
  for (WindowAxis& axis : axes) {
    if (auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower) {
      axis.output = (axis.input + axis.stride - 1) / axis.stride;
      const int64_t total =
          std::max<int64_t>((axis.output - 1) * axis.stride + axis.extent() - axis.input, 0);
      axis.pad_begin = auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
      axis.pad_end = total - axis.pad_begin;
      continue;
    }
    const int64_t room = axis.input + axis.pad_begin + axis.pad_end - axis.extent();
    if (room < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input ", input.ToString(), ": a window of ", axis.extent(), " does not fit size ",
          axis.input, " with pads ", axis.pad_begin, " and ", axis.pad_end));
    }
    axis.output = room / axis.stride + 1;
    // A last window that sticks out counts, unless nothing of it is in the input.
    if (ceil_mode && room % axis.stride != 0 &&
        axis.output * axis.stride < axis.input + axis.pad_begin) {
      ++axis.output;
    }
  }
  return absl::OkStatus();
}

Shape WindowOutput(const Shape& input, int64_t channels, const WindowAxes& axes) {
  Shape output{input[0], channels};
  for (int i = 2; i < input.rank(); ++i) {
    output.push_back(axes[axes.size() - static_cast<size_t>(input.rank() - i)].output);
  }
  return output;
}

}  // namespace sigserve
