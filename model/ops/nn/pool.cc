// MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool.
#include "model/kernels/pool.h"

#include "model/ops/nn/makers.h"
#include "model/ops/nn/window.h"

namespace sigserve {
namespace {

kernels::PoolShape PoolShapeOf(const Shape& x, const WindowAxes& axes) {
  kernels::PoolShape shape;
  shape.planes = static_cast<size_t>(x[0] * x[1]);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto& a = axes[i];
    shape.axis[i] = {static_cast<size_t>(a.input),    static_cast<size_t>(a.output),
                     static_cast<size_t>(a.kernel),   static_cast<size_t>(a.stride),
                     static_cast<size_t>(a.dilation), static_cast<size_t>(a.pad_begin),
                     static_cast<size_t>(a.pad_end)};
  }
  return shape;
}

class PoolOp : public Op {
 public:
  PoolOp(Window window, bool ceil_mode) : window_(std::move(window)), ceil_mode_(ceil_mode) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "X"));
    const Shape& x = in[0].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(WindowAxes axes, window_.Axes(x, window_.kernel, kMaxSpatialRank));
    SIGSERVE_RETURN_IF_ERROR(window_.Slide(x, ceil_mode_, axes));
    for (const WindowAxis& axis : axes) {
      if (axis.pad_begin >= axis.extent() || axis.pad_end >= axis.extent()) {
        return absl::InvalidArgumentError(
            absl::StrCat("pads ", axis.pad_begin, " and ", axis.pad_end,
                         " are not smaller than the window of ", axis.extent()));
      }
      if (axis.input == 0 && axis.output > 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", x.ToString(), " has no elements to pool"));
      }
    }
    for (size_t i = 0; i < out.size(); ++i) {
      SIGSERVE_RETURN_IF_ERROR(
          SetOutput(i == 0 ? DType::kFloat32 : DType::kInt64, WindowOutput(x, x[1], axes), out[i]));
    }
    return absl::OkStatus();
  }

 protected:
  kernels::PoolShape ShapeFor(const Shape& x) const {
    WindowAxes axes = *window_.Axes(x, window_.kernel, kMaxSpatialRank);
    window_.Slide(x, ceil_mode_, axes).IgnoreError();  // Infer() has said that it fits
    return PoolShapeOf(x, axes);
  }

 private:
  const Window window_;
  const bool ceil_mode_;
};

class MaxPoolOp final : public PoolOp {
 public:
  MaxPoolOp(Window window, bool ceil_mode, bool column_major)
      : PoolOp(std::move(window), ceil_mode), column_major_(column_major) {}

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const kernels::PoolShape shape = ShapeFor(in[0].shape());
    const float* x = in[0].values<float>().data();
    float* y = out[0].values<float>().data();
    if (out.size() == 1) {
      kernels::MaxPool(shape, x, y);
      return;
    }
    const size_t depth = shape.axis[0].input;
    const size_t height = shape.axis[1].input;
    const size_t width = shape.axis[2].input;
    const size_t row_major[] = {height * width, width, 1};
    const size_t column_major[] = {1, depth, depth * height};
    kernels::MaxPoolIndices(shape, column_major_ ? column_major : row_major, x, y,
                            out[1].values<int64_t>().data());
  }

 private:
  const bool column_major_;
};

class AveragePoolOp final : public PoolOp {
 public:
  AveragePoolOp(Window window, bool ceil_mode, bool count_padding)
      : PoolOp(std::move(window), ceil_mode), count_padding_(count_padding) {}

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    kernels::AveragePool(ShapeFor(in[0].shape()), count_padding_, in[0].values<float>().data(),
                         out[0].values<float>().data());
  }

 private:
  const bool count_padding_;
};

// Over all spatial dimensions, of which there may be any number.
class GlobalPoolOp final : public Op {
 public:
  explicit GlobalPoolOp(bool maximum) : maximum_(maximum) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "X"));
    const Shape& x = in[0].type.shape;
    if (x.rank() < 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("X is ", x.ToString(), ", expected [batch, channels, size, ...]"));
    }
    Shape y{x[0], x[1]};
    for (int i = 2; i < x.rank(); ++i) {
      if (x[i] == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("X is ", x.ToString(), ": no elements to pool"));
      }
      y.push_back(1);
    }
    return SetOutput(DType::kFloat32, std::move(y), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const auto planes = static_cast<size_t>(out[0].elements());
    if (planes == 0) {
      return;
    }
    kernels::PoolShape shape;
    shape.planes = planes;
    shape.axis[2].input = shape.axis[2].kernel = static_cast<size_t>(in[0].elements()) / planes;
    const float* x = in[0].values<float>().data();
    float* y = out[0].values<float>().data();
    if (maximum_) {
      kernels::MaxPool(shape, x, y);
    } else {
      kernels::AveragePool(shape, false, x, y);
    }
  }

 private:
  const bool maximum_;
};

absl::StatusOr<Window> ReadPoolWindow(const Attributes& attributes) {
  if (!attributes.has("kernel_shape")) {
    return absl::InvalidArgumentError("attribute 'kernel_shape' is missing");
  }
  SIGSERVE_ASSIGN_OR_RETURN(Window window, Window::Read(attributes));
  if (window.kernel.empty()) {
    return absl::InvalidArgumentError("kernel_shape is empty");
  }
  return window;
}

absl::StatusOr<bool> ReadFlag(const Attributes& attributes, absl::string_view name) {
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t value, attributes.Int(name, 0));
  if (value != 0 && value != 1) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, ", expected 0 or 1"));
  }
  return value == 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeMaxPool(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown(
      {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"}));
  SIGSERVE_ASSIGN_OR_RETURN(Window window, ReadPoolWindow(attributes));
  SIGSERVE_ASSIGN_OR_RETURN(const bool ceil_mode, ReadFlag(attributes, "ceil_mode"));
  SIGSERVE_ASSIGN_OR_RETURN(const bool column_major, ReadFlag(attributes, "storage_order"));
  return std::make_unique<MaxPoolOp>(std::move(window), ceil_mode, column_major);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeAveragePool(const NodeSpec& node,
                                                          absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"auto_pad", "ceil_mode", "count_include_pad",
                                                  "dilations", "kernel_shape", "pads", "strides"}));
  SIGSERVE_ASSIGN_OR_RETURN(Window window, ReadPoolWindow(attributes));
  SIGSERVE_ASSIGN_OR_RETURN(const bool ceil_mode, ReadFlag(attributes, "ceil_mode"));
  SIGSERVE_ASSIGN_OR_RETURN(const bool count_padding, ReadFlag(attributes, "count_include_pad"));
  return std::make_unique<AveragePoolOp>(std::move(window), ceil_mode, count_padding);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeGlobalMaxPool(const NodeSpec& node,
                                                            absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<GlobalPoolOp>(true);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeGlobalAveragePool(const NodeSpec& node,
                                                                absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<GlobalPoolOp>(false);
}

}  // namespace sigserve
