#include "model/kernels/bf16_conv.h"
#include "model/ops/core/precision.h"
#include "model/ops/nn/conv_weights.h"
#include "model/ops/nn/makers.h"
#include "model/ops/nn/window.h"

namespace sigserve {
namespace {

class ConvOp final : public Op {
 public:
  ConvOp(Window window, int64_t groups, const kernels::ConvEpilogue& epilogue, Precision precision,
         const TensorView& w)
      : window_(std::move(window)), groups_(groups), epilogue_(epilogue), precision_(precision) {
    const bool usable = w.present() && w.dtype() == DType::kFloat32 && w.shape().rank() >= 3 &&
                        w.shape().rank() <= 4 && w.shape()[0] % groups == 0;
    if (usable) {
      packed_ = AlignedBuffer::Uninitialized(PackedBytes(w.shape()));
      Pack(w, packed_.data());
      is_packed_ = true;
    }
  }

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& x = in[0].type.shape;
    const Shape& w = in[1].type.shape;
    if (w.rank() != x.rank()) {
      return absl::InvalidArgumentError(absl::StrCat("X is ", x.ToString(), ", W is ", w.ToString(),
                                                     ": they must have one rank"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(WindowAxes axes, Axes(x, w));
    if (!window_.kernel.empty() && absl::MakeConstSpan(window_.kernel) != w.dims().subspan(2)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "kernel_shape is ", Shape(window_.kernel).ToString(), ", W is ", w.ToString()));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckEntries("the window's sizes in W", w.dims().subspan(2), 1));
    if (w[1] * groups_ != x[1]) {
      return absl::InvalidArgumentError(absl::StrCat("X has ", x[1], " channels, W ", w.ToString(),
                                                     " and group ", groups_, " need ",
                                                     w[1] * groups_));
    }
    if (w[0] % groups_ != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "W has ", w[0], " output channels, which group ", groups_, " does not divide"));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckConvOperands(in, w[0]));
    SIGSERVE_RETURN_IF_ERROR(window_.Slide(x, false, axes));
    const auto pool = static_cast<int64_t>(epilogue_.pool);
    if (axes[2].output < pool) {
      return absl::InvalidArgumentError(absl::StrCat("input ", x.ToString(), " gives an output of ",
                                                     axes[2].output, ", which a window of ", pool,
                                                     " does not fit"));
    }
    axes[2].output /= pool;
    return SetOutput(DType::kFloat32, WindowOutput(x, w[0], axes), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const override {
    const Shape& x = in[0].shape();
    WindowAxes axes = *Axes(x, in[1].shape());
    window_.Slide(x, false, axes).IgnoreError();  // Infer() has said that it fits
    kernels::ConvShape shape;
    shape.batch = static_cast<size_t>(x[0]);
    shape.groups = static_cast<size_t>(groups_);
    shape.in_channels = static_cast<size_t>(in[1].shape()[1]);
    shape.out_channels = static_cast<size_t>(in[1].shape()[0] / groups_);
    shape.y = AxisOf(axes[1]);
    shape.x = AxisOf(axes[2]);
    shape.x.output /= epilogue_.pool;
    shape.x.grid = shape.x.output * epilogue_.pool;
    kernels::ConvEpilogue epilogue = epilogue_;
    if (in.size() > 2 && in[2].present()) {
      epilogue.bias = in[2].values<float>().data();
    }
    const void* packed = packed_.data();
    if (!is_packed_) {
      void* late = workspace.Take<std::byte>(PackedBytes(in[1].shape())).data();
      Pack(in[1], late);
      packed = late;
    }
    const float* from = in[0].values<float>().data();
    float* to = out[0].values<float>().data();
    if (precision_ == Precision::kBf16) {
      kernels::Bf16Convolve(shape, from, static_cast<const uint16_t*>(packed), epilogue, to);
    } else {
      kernels::Convolve(shape, from, static_cast<const float*>(packed), epilogue, to);
    }
  }

  // For weights that are no constant: they are packed in each run.
  int64_t WorkspaceBytes(absl::Span<const TensorType> in) const override {
    if (is_packed_) return 0;
    return Workspace::BytesFor<std::byte>(static_cast<double>(PackedBytes(in[1].shape)));
  }

 private:
  absl::StatusOr<WindowAxes> Axes(const Shape& x, const Shape& w) const {
    return window_.Axes(x, w.dims().subspan(std::min<size_t>(2, w.dims().size())), 2);
  }

  static kernels::ConvAxis AxisOf(const WindowAxis& axis) {
    kernels::ConvAxis result;
    result.input = static_cast<size_t>(axis.input);
    result.grid = result.output = static_cast<size_t>(axis.output);
    result.first = -axis.pad_begin;
    result.step = static_cast<size_t>(axis.stride);
    result.taps = static_cast<size_t>(axis.kernel);
    result.tap_step = axis.dilation;
    return result;
  }

  // W: [output channels, input channels of a group, (height,) width].
  kernels::ConvShape WeightShape(const Shape& w) const {
    kernels::ConvShape shape;
    shape.in_channels = static_cast<size_t>(w[1]);
    shape.out_channels = static_cast<size_t>(w[0] / groups_);
    shape.y.taps = w.rank() == 4 ? static_cast<size_t>(w[2]) : 1;
    shape.x.taps = static_cast<size_t>(w[w.rank() - 1]);
    return shape;
  }

  // Numbers in the packed weights of one group.
  size_t PackedSize(const kernels::ConvShape& shape) const {
    return precision_ == Precision::kBf16
               ? kernels::PackedBf16ConvSize(shape)
               : kernels::PackedConvSize(shape.out_channels, shape.depth());
  }

  size_t PackedBytes(const Shape& w) const {
    const size_t number = precision_ == Precision::kBf16 ? sizeof(uint16_t) : sizeof(float);
    return PackedSize(WeightShape(w)) * number * static_cast<size_t>(groups_);
  }

  void Pack(const TensorView& w, void* packed) const {
    const kernels::ConvShape shape = WeightShape(w.shape());
    const bool bf16 = precision_ == Precision::kBf16;
    const size_t size = PackedSize(shape);
    kernels::ConvWeights weights;
    weights.data = w.values<float>().data();
    weights.row_stride = shape.depth();
    weights.channel_stride = shape.y.taps * shape.x.taps;
    weights.y_stride = shape.x.taps;
    weights.x_stride = 1;
    for (size_t group = 0; group < static_cast<size_t>(groups_); ++group) {
      if (bf16) {
        auto* to = static_cast<uint16_t*>(packed) + group * size;
        kernels::PackBf16ConvWeights(weights, shape, {to, size});
      } else {
        auto* to = static_cast<float*>(packed) + group * size;
        kernels::PackConvWeights(weights, shape, {to, size});
      }
      weights.data += shape.out_channels * shape.depth();
    }
  }

  const Window window_;
  const int64_t groups_;
  const kernels::ConvEpilogue epilogue_;
  const Precision precision_;
  AlignedBuffer packed_;
  bool is_packed_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeConv(const NodeSpec& node,
                                                   absl::Span<const TensorView> constants) {
  SIGSERVE_ASSIGN_OR_RETURN(const kernels::ConvEpilogue epilogue,
                            ReadConvEpilogue(node, {"auto_pad", "dilations", "group",
                                                    "kernel_shape", "pads", "strides"}));
  SIGSERVE_ASSIGN_OR_RETURN(Window window, Window::Read(node.attributes));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t groups, node.attributes.Int("group", 1));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("group", {groups}, 1));
  SIGSERVE_ASSIGN_OR_RETURN(const Precision precision, ReadPrecision(node));
  return std::make_unique<ConvOp>(std::move(window), groups, epilogue, precision, constants[1]);
}

}  // namespace sigserve
