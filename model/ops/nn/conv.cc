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
      packed_ = Pack(w);
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

  void Forward(absl::Span<const TensorView> in,
               absl::Span<const MutableTensorView> out) const override {
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
    AlignedBuffer late;
    if (!is_packed_) {
      late = Pack(in[1]);
    }
    const void* packed = (is_packed_ ? packed_ : late).data();
    const float* from = in[0].values<float>().data();
    float* to = out[0].values<float>().data();
    if (precision_ == Precision::kBf16) {
      kernels::Bf16Convolve(shape, from, static_cast<const uint16_t*>(packed), epilogue, to);
    } else {
      kernels::Convolve(shape, from, static_cast<const float*>(packed), epilogue, to);
    }
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
  AlignedBuffer Pack(const TensorView& w) const {
    const Shape& dims = w.shape();
    kernels::ConvShape shape;
    shape.in_channels = static_cast<size_t>(dims[1]);
    shape.out_channels = static_cast<size_t>(dims[0] / groups_);
    shape.y.taps = dims.rank() == 4 ? static_cast<size_t>(dims[2]) : 1;
    shape.x.taps = static_cast<size_t>(dims[dims.rank() - 1]);
    const bool bf16 = precision_ == Precision::kBf16;
    const size_t size = bf16 ? kernels::PackedBf16ConvSize(shape)
                             : kernels::PackedConvSize(shape.out_channels, shape.depth());
    const size_t bytes = size * (bf16 ? sizeof(uint16_t) : sizeof(float));
    AlignedBuffer packed = AlignedBuffer::Uninitialized(bytes * static_cast<size_t>(groups_));
    kernels::ConvWeights weights;
    weights.data = w.values<float>().data();
    weights.row_stride = shape.depth();
    weights.channel_stride = shape.y.taps * shape.x.taps;
    weights.y_stride = shape.x.taps;
    weights.x_stride = 1;
    for (size_t group = 0; group < static_cast<size_t>(groups_); ++group) {
      if (bf16) {
        auto* to = static_cast<uint16_t*>(packed.data()) + group * size;
        kernels::PackBf16ConvWeights(weights, shape, {to, size});
      } else {
        auto* to = static_cast<float*>(packed.data()) + group * size;
        kernels::PackConvWeights(weights, shape, {to, size});
      }
      weights.data += shape.out_channels * shape.depth();
    }
    return packed;
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
