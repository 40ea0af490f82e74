#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "model/ops/core/attribute_error.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

enum class PadMode { kConstant, kReflect, kEdge, kWrap };

// Pads before and after each dimension; negative ones take away.
struct Padding {
  absl::InlinedVector<int64_t, 6> before;
  absl::InlinedVector<int64_t, 6> after;
};

class PadOp final : public Op {
 public:
  /// `pads`: for opsets whose pads are an attribute; else empty, and input 1 has them.
  PadOp(PadMode mode, bool by_attribute, std::vector<int64_t> pads, float value)
      : mode_(mode), by_attribute_(by_attribute), pads_(std::move(pads)), value_(value) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& x = in[0].type.shape;
    absl::Span<const int64_t> pads = pads_;
    absl::Span<const int64_t> axes;
    if (!by_attribute_) {
      SIGSERVE_ASSIGN_OR_RETURN(pads, Known(in[1], "pads"));
      if (in.size() > 2 && in[2].present) {
        SIGSERVE_RETURN_IF_ERROR(CheckValue(in[2].type, in[0].type.dtype));
      }
      if (in.size() > 3 && in[3].present) {
        SIGSERVE_ASSIGN_OR_RETURN(axes, Known(in[3], "axes"));
        for (const int64_t axis : axes) {
          if (axis < -x.rank() || axis >= x.rank()) {
            return AttributeError(
                absl::StrCat("axis ", axis, " is out of range for input ", x.ToString()));
          }
        }
      }
    } else if (in[0].type.dtype != DType::kFloat32) {
      SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "input"));
    }
    const bool has_axes = !by_attribute_ && in.size() > 3 && in[3].present;
    const size_t dims = has_axes ? axes.size() : static_cast<size_t>(x.rank());
    if (pads.size() != 2 * dims) {
      return absl::InvalidArgumentError(
          absl::StrCat("pads has ", pads.size(), " entries, expected ", 2 * dims));
    }
    constexpr int64_t kLimit = int64_t{1} << 40;
    for (const int64_t pad : pads) {
      if (pad < -kLimit || pad > kLimit) {
        return absl::InvalidArgumentError(absl::StrCat("pads has ", pad));
      }
    }
    const Padding padding = PaddingOf(x.rank(), pads, axes, has_axes);
    Shape y = x;
    for (int i = 0; i < x.rank(); ++i) {
      const auto d = static_cast<size_t>(i);
      const int64_t size = x[i] + padding.before[d] + padding.after[d];
      if (size < 0) {
        return absl::InvalidArgumentError(absl::StrCat("pads ", padding.before[d], " and ",
                                                       padding.after[d], " make dimension ", i,
                                                       " of input ", x.ToString(), " negative"));
      }
      const bool grows = padding.before[d] > 0 || padding.after[d] > 0;
      if (mode_ != PadMode::kConstant && x[i] == 0 && grows) {
        return absl::InvalidArgumentError(
            absl::StrCat("dimension ", i, " of input ", x.ToString(), " has nothing to repeat"));
      }
      const int64_t widest = std::max(padding.before[d], padding.after[d]);
      if (mode_ == PadMode::kReflect && widest >= x[i] && widest > 0) {
        return absl::InvalidArgumentError(absl::StrCat("pad ", widest,
                                                       " reflects more than dimension ", i,
                                                       " of input ", x.ToString(), " has"));
      }
      y.set(i, size);
    }
    return SetOutput(in[0].type.dtype, std::move(y), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const bool has_axes = !by_attribute_ && in.size() > 3 && in[3].present();
    const Padding padding =
        by_attribute_
            ? PaddingOf(in[0].shape().rank(), pads_, {}, false)
            : PaddingOf(in[0].shape().rank(), in[1].values<int64_t>(),
                        has_axes ? in[3].values<int64_t>() : absl::Span<const int64_t>(), has_axes);
    char value[sizeof(int64_t)] = {};
    const size_t size = SizeOf(out[0].dtype());
    if (by_attribute_) {
      std::memcpy(value, &value_, sizeof(value_));
    } else if (in.size() > 2 && in[2].present()) {
      std::memcpy(value, in[2].data(), size);
    }
    switch (size) {
      case 1:
        return Copy<uint8_t>(in[0], padding, value, out[0]);
      case 4:
        return Copy<uint32_t>(in[0], padding, value, out[0]);
      default:
        return Copy<uint64_t>(in[0], padding, value, out[0]);
    }
  }

 private:
  static absl::StatusOr<absl::Span<const int64_t>> Known(const Operand& operand,
                                                         absl::string_view name) {
    if (operand.type.dtype != DType::kInt64 || operand.type.shape.rank() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is ", Name(operand.type.dtype), " ",
                                                     operand.type.shape.ToString(),
                                                     ", expected a vector of INT64"));
    }
    if (!operand.value.present()) {
      return absl::UnimplementedError(
          absl::StrCat(name, " depends on the request: only constants are supported"));
    }
    return operand.value.values<int64_t>();
  }

  static absl::Status CheckValue(const TensorType& value, DType dtype) {
    if (value.dtype == dtype && value.shape.elements() == 1) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("constant_value is ", Name(value.dtype), " ",
                                                   value.shape.ToString(), ", expected one ",
                                                   Name(dtype)));
  }

  static Padding PaddingOf(int rank, absl::Span<const int64_t> pads, absl::Span<const int64_t> axes,
                           bool has_axes) {
    Padding padding;
    padding.before.resize(static_cast<size_t>(rank));
    padding.after.resize(static_cast<size_t>(rank));
    const size_t count = pads.size() / 2;
    for (size_t i = 0; i < count; ++i) {
      const size_t d = has_axes ? static_cast<size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]) : i;
      padding.before[d] = pads[i];
      padding.after[d] = pads[count + i];
    }
    return padding;
  }

  // Where index `i` of a dimension of `size`, counted from its first element, is read; -1: nowhere.
  int64_t Source(int64_t i, int64_t size) const {
    if (i >= 0 && i < size) {
      return i;
    }
    switch (mode_) {
      case PadMode::kConstant:
        return -1;
      case PadMode::kReflect:
        return i < 0 ? -i : 2 * (size - 1) - i;
      case PadMode::kEdge:
        return i < 0 ? 0 : size - 1;
      case PadMode::kWrap:
        return (i % size + size) % size;
    }
    return -1;
  }

  template <typename T>
  void Copy(const TensorView& from, const Padding& padding, const char* value,
            const MutableTensorView& to) const {
    T constant;
    std::memcpy(&constant, value, sizeof(constant));
    const auto* x = static_cast<const T*>(from.data());
    auto* y = static_cast<T*>(to.data());
    const Shape& in = from.shape();
    const Shape& out = to.shape();
    const int rank = in.rank();
    if (rank == 0) {
      *y = *x;
      return;
    }
    const int64_t width = out[rank - 1];
    const int64_t rows = width == 0 ? 0 : out.elements() / width;
    const int64_t first = padding.before[static_cast<size_t>(rank) - 1];
    for (int64_t row = 0; row < rows; ++row, y += width) {
      int64_t rest = row;
      int64_t source = 0;
      int64_t stride = in[rank - 1];
      for (int i = rank - 2; i >= 0 && source >= 0; --i) {
        const int64_t at = Source(rest % out[i] - padding.before[static_cast<size_t>(i)], in[i]);
        rest /= out[i];
        source = at < 0 ? -1 : source + at * stride;
        stride *= in[i];
      }
      if (source < 0) {
        std::fill_n(y, width, constant);
        continue;
      }
      const int64_t begin = std::clamp<int64_t>(first, 0, width);
      const int64_t end = std::clamp<int64_t>(first + in[rank - 1], begin, width);
      const auto edge = [&](int64_t j) {
        const int64_t at = Source(j - first, in[rank - 1]);
        y[j] = at < 0 ? constant : x[source + at];
      };
      for (int64_t j = 0; j < begin; ++j) {
        edge(j);
      }
      std::copy_n(x + source + begin - first, end - begin, y + begin);
      for (int64_t j = end; j < width; ++j) {
        edge(j);
      }
    }
  }

  const PadMode mode_;
  const bool by_attribute_;
  const std::vector<int64_t> pads_;
  const float value_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakePad(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  const bool by_attribute = node.opset < 11;
  if (by_attribute) {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"mode", "pads", "value"}));
  } else {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"mode"}));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const std::string mode, attributes.String("mode", "constant"));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> pads, attributes.Ints("pads"));
  SIGSERVE_ASSIGN_OR_RETURN(const float value, attributes.Float("value", 0));
  static constexpr std::pair<absl::string_view, PadMode> kModes[] = {
      {"constant", PadMode::kConstant},
      {"reflect", PadMode::kReflect},
      {"edge", PadMode::kEdge},
      {"wrap", PadMode::kWrap}};
  for (const auto& [name, value_of] : kModes) {
    if (mode == name) {
      return std::make_unique<PadOp>(value_of, by_attribute, std::move(pads), value);
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("mode is '", mode, "', expected constant, reflect, edge or wrap"));
}

}  // namespace sigserve
